/* SPDX-License-Identifier: MIT */
#include <pwd.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "ctl/ask/limits.h"
#include "ctl/ctl.h"
#include "util/cleanup.h"
#include "util/text.h"

/* systemctl set-property stores its settings here. */
#define CONTROL_DIR "/etc/systemd/system.control"

/* No instance can have this name, so the unit with this name has only the settings of the
 * template. */
#define NOBODY "0"

#define SIZE_MIN (UINT64_C(16) << 20)

const struct LimitRow limits[LIMITS] = {
        [LIMIT_MEMORY] = { "memory-max", "MemoryMax", "MemoryMax",
                           "a size of 16M or more, such as 512M or 1G" },
        [LIMIT_CPU] = { "cpu-max", "CPUQuota", "CPUQuotaPerSecUSec",
                        "a percentage of one processor, such as 50% or 200%" },
        [LIMIT_TASKS] = { "tasks-max", "TasksMax", "TasksMax",
                          "a number of processes and threads, 16 or more" },
        [LIMIT_DISK] = { "disk-max", "DiskMax", NULL, "a size of 16M or more, such as 10G" },
};

/* Parses a size such as "512M" or "1G". A number without a letter is in bytes. */
static bool limits_parse_size(Span text, uint64_t *ret)
{
        static const char letters[] = "KMGT";
        const char *letter = text.size > 0 ? strchr(letters, text.data[text.size - 1]) : NULL;
        const unsigned shift = letter && *letter ? 10 * (unsigned)(letter - letters + 1) : 0;

        text.size -= shift > 0;
        if (!text_number(text, (UINT64_MAX - 1) >> shift, ret))
                return false;
        *ret <<= shift;
        return *ret >= SIZE_MIN;
}

/* Parses "150%" or "12.5%". The percent sign may be missing. Like systemd, accepts at most two
 * digits after the point. */
static bool limits_parse_percent(Span text, uint64_t *ret)
{
        uint64_t whole, hundredths = 0;
        Span front;

        text.size -= text.size > 0 && text.data[text.size - 1] == '%';
        if (!span_take_until(&text, '.', &front)) {
                front = text;
        } else {
                const size_t digits = text.size;

                if (digits > 2 || !text_number(text, 99, &hundredths))
                        return false;
                hundredths *= digits == 1 ? 10 : 1;
        }
        if (!text_number(front, 1000000, &whole))
                return false;
        *ret = (whole * 100 + hundredths) * 100;
        return whole > 0;
}

bool limit_parse(LimitKind kind, const char *text, uint64_t *ret)
{
        const Span value = span_from_string(text);

        if (kind == LIMIT_CPU)
                return limits_parse_percent(value, ret);
        if (kind == LIMIT_TASKS)
                return text_number(value, INT32_MAX, ret) && *ret >= 16;
        return limits_parse_size(value, ret);
}

char *limit_drop_in(LimitKind kind, const char *name)
{
        char unit[NAME_UNIT_MAX];

        return text_format(CONTROL_DIR "/%s.d/50-%s.conf", name_unit(NAME_SERVICE_UNIT, name, unit),
                           limits[kind].setting);
}

void limit_disk_folder(const char *name, char ret[static PATH_MAX])
{
        const struct passwd *user = getpwnam(name);
        struct stat st;

        (void)snprintf(ret, PATH_MAX, WWW_DIR "/%s", name);
        if (stat(ret, &st) == 0)
                return;
        if (user)
                (void)snprintf(ret, PATH_MAX, "%s/public_html", user->pw_dir);
        /* Returns the home folder, not public_html, because the customer can replace public_html
         * with a link to any place. */
        if (user && lstat(ret, &st) == 0)
                (void)snprintf(ret, PATH_MAX, "%s", user->pw_dir);
        else
                (void)snprintf(ret, PATH_MAX, "%s", stat(WWW_DIR, &st) == 0 ? WWW_DIR : "/");
}

static void limits_ask_disk(const char *name, Limits *ret)
{
        const struct passwd *user = getpwnam(name);
        char folder[PATH_MAX];
        Quota quota;
        int r;

        if (!user) {
                ret->error[LIMIT_DISK] = -ENOENT;
                return;
        }
        limit_disk_folder(name, folder);
        r = quota_get(folder, user->pw_uid, &quota);
        if (r == QUOTA_ON) {
                ret->max[LIMIT_DISK] = quota.max;
                ret->is_own[LIMIT_DISK] = quota.max != UINT64_MAX;
                ret->disk_used = quota.used;
        }
        ret->error[LIMIT_DISK] = r < 0 ? r : 0;
}

static bool limits_has_drop_in(LimitKind kind, const char *name)
{
        _cleanup_free_ char *path = limit_drop_in(kind, name);

        return path && access(path, F_OK) == 0;
}

/* Also asks about the unit of NOBODY, which has only the settings for all instances. A limit that
 * differs from the limit of NOBODY, or has a drop-in, is the instance's own. */
static int limits_ask_systemd(sd_bus *bus, const char *const names[], size_t n, Limits ret[])
{
        _cleanup_free_ BusQuestion *questions = calloc(n + 1, LIMIT_DISK * sizeof(*questions));
        Limits all = { .error = { 0 } };
        int r;

        if (!questions)
                return -ENOMEM;
        for (size_t i = 0; i < (n + 1) * LIMIT_DISK; i++) {
                const size_t at = i / LIMIT_DISK;

                questions[i] = (BusQuestion){
                        .interface = "Service",
                        .property = limits[i % LIMIT_DISK].property,
                        .kind = PROPERTY_NUMBER,
                        .ret = &(at < n ? &ret[at] : &all)->max[i % LIMIT_DISK],
                };
                (void)name_unit(NAME_SERVICE_UNIT, at < n ? names[at] : NOBODY, questions[i].unit);
        }
        r = bus_ask(bus, questions, (n + 1) * LIMIT_DISK);
        for (size_t i = 0; i < n * LIMIT_DISK; i++) {
                const LimitKind kind = i % LIMIT_DISK;
                Limits *of = &ret[i / LIMIT_DISK];
                const int of_all = questions[n * LIMIT_DISK + kind].error;

                of->error[kind] = r < 0 ? r : questions[i].error < 0 ? questions[i].error : of_all;
                of->is_own[kind] =
                        of->error[kind] == 0 && (of->max[kind] != all.max[kind] ||
                                                 limits_has_drop_in(kind, names[i / LIMIT_DISK]));
        }
        return r == -ENOMEM ? r : 0;
}

int limits_ask(sd_bus *bus, int bus_error, const char *const names[], size_t n, Limits ret[])
{
        for (size_t i = 0; i < n; i++) {
                ret[i] = (Limits){ .disk_used = UINT64_MAX };
                for (LimitKind kind = 0; kind < LIMITS; kind++) {
                        ret[i].max[kind] = UINT64_MAX;
                        ret[i].error[kind] = bus ? 0 : bus_error;
                }
                limits_ask_disk(names[i], &ret[i]);
        }
        return bus ? limits_ask_systemd(bus, names, n, ret) : 0;
}
