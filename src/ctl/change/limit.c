/* SPDX-License-Identifier: MIT */
#include <pwd.h>

#include "ctl/change/files.h"
#include "ctl/change/limit.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

static const char *const resources[LIMITS] = {
        [LIMIT_MEMORY] = "memory",
        [LIMIT_CPU] = "processor time",
        [LIMIT_TASKS] = "tasks",
        [LIMIT_DISK] = "disk space",
};

static const char *limit_show(LimitKind kind, uint64_t max, char ret[static SHOWN_MAX])
{
        if (kind == LIMIT_CPU)
                return strcat((char *)show_percent(max, ret), "%");
        return kind == LIMIT_TASKS ? show_count(max, ret) : show_bytes(max, ret);
}

CtlStatus limit_options(const Ctl *ctl, Wanted *ret)
{
        *ret = (Wanted){ .is_given = { false } };
        for (size_t i = 0; i < ctl->n_settings; i++)
                for (LimitKind kind = 0; kind < LIMITS; kind++) {
                        const char *value = ctl->settings[i].value;

                        if (strcmp(ctl->settings[i].key, limits[kind].setting) != 0)
                                continue;
                        ret->is_given[kind] = true;
                        ret->max[kind] = UNKNOWN;
                        if (value[0] == 0 || strcmp(value, "none") == 0 ||
                            limit_parse(kind, value, &ret->max[kind]))
                                continue;
                        output_error("--%s=%s is not %s. To remove the limit, write the option "
                                     "without a value.",
                                     limits[kind].option, value, limits[kind].form);
                        return CTL_USAGE;
                }
        ret->max[LIMIT_DISK] = quota_round(ret->max[LIMIT_DISK]);
        return CTL_FINE;
}

static CtlStatus limit_check_disk(const char *name)
{
        char folder[PATH_MAX];
        Quota quota;
        int r;

        limit_disk_folder(name, folder);
        r = quota_get(folder, 0, &quota);
        if (r == QUOTA_ON)
                return CTL_FINE;
        if (change_good(folder, r))
                output_error("Disk quotas of users are off on the file system of %s, so no limit "
                             "can be set. To turn them on: for ext4, run 'tune2fs -O quota DEVICE' "
                             "while it is not mounted; for XFS, add the mount option uquota.",
                             folder);
        return CTL_FAILED;
}

/* Checks that the limit can be changed to max. */
static CtlStatus limit_check(LimitKind kind, const char *name, uint64_t max)
{
        _cleanup_free_ char *drop_in = NULL;

        if (kind == LIMIT_DISK)
                return limit_check_disk(name);
        if (kind == LIMIT_CPU && max != UNKNOWN && max % LIMIT_CPU_PERCENT != 0) {
                output_error("systemd accepts only whole percentages, so --cpu-max= must be one.");
                return CTL_FAILED;
        }
        drop_in = limit_drop_in(kind, name);
        if (!drop_in)
                return output_no_memory();
        if (max != UNKNOWN || access(drop_in, F_OK) == 0)
                return CTL_FINE;
        output_error("%s= of %s is in a drop-in that bellhopctl did not make. Remove it there "
                     "with: systemctl edit bellhop@%s.service",
                     limits[kind].setting, name, name);
        return CTL_FAILED;
}

CtlStatus limit_find_needs(const Change *change, const char *name, const Wanted *wanted,
                           bool is_new, bool ret[static LIMITS])
{
        Limits now = { .disk_used = UNKNOWN };
        CtlStatus status = CTL_FINE;

        if (!is_new && limits_ask(change->bus, 0, &name, 1, &now) < 0)
                return output_no_memory();
        for (LimitKind kind = 0; status == CTL_FINE && kind < LIMITS; kind++) {
                const bool removes = wanted->max[kind] == UNKNOWN;

                ret[kind] = wanted->is_given[kind] &&
                            (removes ? now.is_own[kind]
                                     : !now.is_own[kind] || now.max[kind] != wanted->max[kind]);
                if (wanted->is_given[kind] && now.error[kind] < 0) {
                        output_error("The present limit of the %s of %s is not known, so nothing "
                                     "was changed: %s.",
                                     resources[kind], name, strerror(-now.error[kind]));
                        status = CTL_FAILED;
                } else if (ret[kind]) {
                        status = limit_check(kind, name, wanted->max[kind]);
                }
        }
        return status;
}

static bool limit_set_quota(const char *name, uint64_t max)
{
        const struct passwd *user = getpwnam(name);
        char folder[PATH_MAX];
        int r = -ESRCH;

        limit_disk_folder(name, folder);
        if (user)
                r = quota_set(folder, user->pw_uid, max);
        return change_good(folder, r == QUOTA_OFF ? -ESRCH : r);
}

/* Sets all properties with one command. systemd applies them immediately. */
static bool limit_set_properties(const char *name, const Wanted *wanted,
                                 const bool needs[static LIMITS])
{
        const char *command[LIMITS + 5] = { "systemctl", "set-property", "--" };
        char unit[NAME_UNIT_MAX], values[LIMIT_DISK][SHOWN_MAX * 2];
        size_t n = 3;

        command[n++] = name_unit(NAME_SERVICE_UNIT, name, unit);
        for (LimitKind kind = 0; kind < LIMIT_DISK; kind++) {
                char value[SHOWN_MAX];

                if (!needs[kind] || wanted->max[kind] == UNKNOWN)
                        continue;
                (void)snprintf(values[kind], sizeof(values[kind]), "%s=%s%s", limits[kind].setting,
                               kind == LIMIT_CPU ? show_percent(wanted->max[kind], value)
                                                 : show_count(wanted->max[kind], value),
                               kind == LIMIT_CPU ? "%" : "");
                command[n++] = values[kind];
        }
        return n == 4 || program_run(command);
}

/* Removes the drop-in of each limit that is to be removed, because systemctl(1) can't reset a
 * single property. Then runs a daemon-reload, after which the limits in the template
 * bellhop@.service apply. */
static bool limit_remove_properties(Change *change, const char *name, const Wanted *wanted,
                                    const bool needs[static LIMITS])
{
        bool any = false, good = true;

        for (LimitKind kind = 0; kind < LIMIT_DISK; kind++)
                if (needs[kind] && wanted->max[kind] == UNKNOWN) {
                        _cleanup_free_ char *drop_in = limit_drop_in(kind, name);

                        any = true;
                        good = change_good(name, drop_in ? file_remove(drop_in) : -ENOMEM) && good;
                }
        return good && (!any || change_read_unit_files(change));
}

bool limit_apply(Change *change, const char *name, const Wanted *wanted,
                 const bool needs[static LIMITS])
{
        bool does = true;
        char text[SHOWN_MAX];

        for (LimitKind kind = 0; kind < LIMITS; kind++) {
                const uint64_t max = wanted->max[kind];

                if (!needs[kind])
                        continue;
                does = max == UNKNOWN
                               ? change_step(change, "limit", "remove the limit of the %s of %s",
                                             resources[kind], name)
                               : change_step(change, "limit", "limit the %s of %s to %s",
                                             resources[kind], name, limit_show(kind, max, text));
        }
        return !does || (limit_set_properties(name, wanted, needs) &&
                         limit_remove_properties(change, name, wanted, needs) &&
                         (!needs[LIMIT_DISK] || limit_set_quota(name, wanted->max[LIMIT_DISK])));
}

void limit_undo(const char *name, const bool needs[static LIMITS])
{
        for (LimitKind kind = 0; kind < LIMIT_DISK; kind++) {
                _cleanup_free_ char *drop_in = needs[kind] ? limit_drop_in(kind, name) : NULL;
                char *slash = drop_in ? strrchr(drop_in, '/') : NULL;

                if (!slash)
                        continue;
                (void)unlink(drop_in);
                *slash = 0;
                (void)rmdir(drop_in);
        }
        if (needs[LIMIT_DISK])
                (void)limit_set_quota(name, UNKNOWN);
}
