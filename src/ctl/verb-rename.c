/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl rename: gives an instance a new name. If bellhopctl is killed, clients are still
 * served, even if the command is not repeated: until the last step, the units of the old name and
 * of the new name can start. For this, the user has both names, links with the old names lead to
 * the new folders, and each name has an instance's file. At first, the file with the new name is a
 * stub without the hosts. Then the two files are exchanged in one step, so the new name gets the
 * hosts. After this, the router sends connections to the new instance, and the old instance
 * finishes its connections.
 */
#include <sys/stat.h>
#include <time.h>

#include "config/config.h"
#include "config/units.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/ask/queue.h"
#include "ctl/change/acme.h"
#include "ctl/change/ending.h"
#include "ctl/change/hold.h"
#include "ctl/change/others.h"
#include "ctl/change/rename.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/text.h"

/* The maximum time to wait until the old instance has received all connections that wait in its
 * hand-off socket. If the old instance can't start, its start fails after 15 s. Then its stand-in,
 * which is another unit, needs some time to refuse the connections. */
#define DRAIN_USEC (60 * UINT64_C(1000000))

/* The text of the stub. An instance's file needs a host, so the stub has a host that exists
 * nowhere. */
#define STUB_HEAD "# Made by bellhopctl rename"
#define STUB                                                                     \
        STUB_HEAD ": %s becomes %s. To continue, run: bellhopctl rename %s %s\n" \
                  "[Instance]\nHost=renamed-%s-x.invalid\nNetwork=%s\nSuspended=%s\n"

/* A drop-in that makes the instance see its folders under their old names, too. %1$s: the old name.
 * systemd makes missing mount points. Their parent folders belong to the instance's sandbox, so the
 * mount points do not appear outside of it. The cache is left out, because its parent folder
 * belongs to the machine, where the mount point would remain. */
#define OLD_PLACES                                                                                 \
        "# Made by bellhopctl rename: %1$s has become %%i. This file shows the old folders, too, " \
        "for applications whose settings name them.\n"                                             \
        "# Without this file, only the new folders exist.\n"                                       \
        "[Service]\n"                                                                              \
        "BindPaths=-/home/%%i:/home/%1$s -" WWW_DIR "/%%i:" WWW_DIR "/%1$s\n"                      \
        "BindPaths=-" STATE_DIR "/%%i:" STATE_DIR "/%1$s\n"                                        \
        "BindReadOnlyPaths=-" BELLHOP_CONFIG_DIR "/tls/%%i:" BELLHOP_CONFIG_DIR "/tls/%1$s\n"      \
        "BindReadOnlyPaths=-" BELLHOP_CONFIG_DIR "/sites/%%i:" BELLHOP_CONFIG_DIR "/sites/%1$s\n"

static bool rename_is_stub(const char *path)
{
        _cleanup_free_ char *text = NULL;
        size_t size;

        return place_exists(path) && file_read(path, 0, CONFIG_FILE_MAX_BYTES, &text, &size) == 0 &&
               strncmp(text, STUB_HEAD, strlen(STUB_HEAD)) == 0;
}

/* --- steps; each returns false if it failed --- */

static bool rename_user(Rename *rename)
{
        Change *change = &rename->change;
        const NamedUser *user = rename->user.exists ? &rename->user : &rename->other;

        if (rename->has_begun && rename->user.exists)
                return true;
        return !change_step(change, "user",
                            "rename user %s to %s; %s remains a second name of the user until the "
                            "rename is finished",
                            rename->from, rename->to, rename->from) ||
               second_name_give(rename->from, rename->to, user);
}

/* An earlier instance with the new name may have been removed without --purge. Makes bellhop-usage
 * keep the usage of that instance under another name. */
static bool rename_old_account(Rename *rename)
{
        return rename->has_begun || ending_close_account(&rename->change, rename->to);
}

static bool rename_group(Rename *rename)
{
        return !rename->has_group ||
               !change_step(&rename->change, "group", "rename group %s to %s", rename->from,
                            rename->to) ||
               program_run((const char *const[]){ "groupmod", "--new-name", rename->to, "--",
                                                  rename->from, NULL });
}

/* Renames the crontab, mail and similar files, because they remain in use. */
static bool rename_kept_files(Rename *rename)
{
        for (size_t i = 0; i < RENAME_KEPT; i++) {
                _cleanup_free_ char *from = rename_kept(i, rename->from);
                _cleanup_free_ char *to = rename_kept(i, rename->to);
                struct stat st;

                if (!from || !to)
                        return change_good(rename->to, -ENOMEM);
                if (lstat(from, &st) < 0 || !S_ISREG(st.st_mode) || place_exists(to) ||
                    !change_step(&rename->change, "user", "rename %s to %s", from, rename->to))
                        continue;
                if (!change_good(from, file_rename(from, to)))
                        return false;
        }
        return true;
}

static bool rename_folder(Rename *rename, const char *kind, const char *old, const char *new)
{
        return !place_exists(old) || rename_is_link(old) ||
               !change_step(&rename->change, kind,
                            "rename %s to %s, and keep a link with the old name until the rename "
                            "is finished",
                            old, new) ||
               change_good(old, folder_rename(old, new));
}

static bool rename_folders(Rename *rename)
{
        const Places *old = &rename->old, *new = &rename->new;

        return rename_folder(rename, "document-root", old->www, new->www) &&
               rename_folder(rename, "certificate", old->tls, new->tls) &&
               rename_folder(rename, "snippets", old->snippets, new->snippets) &&
               rename_folder(rename, "logs", old->logs, new->logs) &&
               (rename->change.ctl->dry_run || log_folder_is_made(rename->to) ||
                log_folder_make(rename->to)) &&
               (!rename->old_home[0] ||
                rename_folder(rename, "home", rename->old_home, rename->new_home));
}

static bool rename_home(Rename *rename)
{
        NamedUser user;

        named_user_read(rename->to, &user);
        if (!rename->change.ctl->dry_run && user.exists &&
            !change_good(user.home,
                         home_link_put(rename->new_home[0] ? rename->new_home : user.home,
                                       rename->old.www, rename->new.www)))
                return false;
        if (!rename->new_home[0])
                return true;
        return (user.exists && strcmp(user.home, rename->new_home) == 0) ||
               !change_step(&rename->change, "home", "make %s the home of %s", rename->new_home,
                            rename->to) ||
               second_name_set_home(rename->to, rename->new_home);
}

static int rename_write_record(const Rename *rename)
{
        _cleanup_free_ char *record = rename_record(rename->to, rename->from);
        _cleanup_free_ char *back = rename_record(rename->to, rename->to);
        _cleanup_free_ char *folder =
                record ? strndup(record, (size_t)(strrchr(record, '/') - record)) : NULL;
        _cleanup_free_ char *text = text_format(OLD_PLACES, rename->from);

        if (!record || !back || !folder || !text)
                return -ENOMEM;
        if (mkdir(folder, 0755) < 0 && errno != EEXIST)
                return -errno;
        /* If the new name is a former name of the customer, removes the drop-in that shows the
         * folders of that name. */
        (void)unlink(back);
        return file_write(record, text);
}

/* This step comes before systemd loads the new units, so that no daemon-reload is necessary. */
static bool rename_settings(Rename *rename, const Instance *instance)
{
        const char *dir = UNITS_GENERATED_DIR;
        int r;

        if (!change_step(&rename->change, "settings",
                         "copy the settings of the units of %s to those of %s, and show the old "
                         "folders in the instance, too",
                         rename->from, rename->to))
                return true;
        if (!settings_copy(rename->from, rename->to) ||
            (place_exists(rename->old.wanted) &&
             !program_run((const char *const[]){ "cp", "--archive", "--no-target-directory", "--",
                                                 rename->old.wanted, rename->new.wanted, NULL })))
                return false;
        r = rename_write_record(rename);
        if (r == 0)
                r = units_write(dir, rename->to, instance->network);
        return change_good(rename->to, r == 0 ? units_announce() : r);
}

static bool rename_write_stub(Rename *rename, const Instance *instance)
{
        const char *suspended = instance->is_suspended ? "yes" : "no";
        _cleanup_free_ char *text = NULL;

        if (!change_step(&rename->change, "file", "write %s", rename->new.file))
                return true;
        text = text_format(STUB, rename->from, rename->to, rename->from, rename->to, rename->from,
                           network_names[instance->network], suspended);
        return change_good(rename->new.file, text ? file_write(rename->new.file, text) : -ENOMEM);
}

/* Makes the files that must exist before the new units can start, then starts the new socket. */
static bool rename_make_units(Rename *rename)
{
        const char *dir = rename->change.ctl->config_dir;
        char unit[NAME_UNIT_MAX];
        Instance instance;
        int r = 0;

        if (!place_exists(rename->new.file) &&
            (!change_good(dir, config_read_instance(dir, rename->from, &instance)) ||
             !rename_settings(rename, &instance) || !rename_write_stub(rename, &instance)))
                return false;
        r = bus_is_active(rename->change.bus, name_unit(NAME_SOCKET_UNIT, rename->to, unit));
        return change_good("systemd does not answer", r) &&
               (r == 1 ||
                !change_step(&rename->change, "socket", "start the hand-off socket of %s",
                             rename->to) ||
                change_unit("start", unit));
}

/* Renames the folders of state and cache. If the old instance started after this, systemd would
 * make the old folders again. To prevent this, starts the old instance first, so it is already
 * running, and the folders are renamed just before the two files are exchanged. A start of the old
 * instance while a folder is renamed would fail, so hold_run() delays it. */
static bool rename_state(Rename *rename)
{
        const struct {
                const char *kind, *old, *new;
        } folders[] = {
                { "state", rename->old.state, rename->new.state },
                { "cache", rename->old.cache, rename->new.cache },
        };
        char unit[NAME_UNIT_MAX];

        (void)name_unit(NAME_SERVICE_UNIT, rename->from, unit);
        if (!rename->change.ctl->dry_run &&
            !program_run((const char *const[]){ "sh", "-c", "systemctl start -- \"$0\" || :", unit,
                                                NULL }))
                return false;
        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                if (place_exists(folders[i].old) && !place_exists(folders[i].new) &&
                    change_step(&rename->change, folders[i].kind, "rename %s to %s", folders[i].old,
                                folders[i].new) &&
                    !hold_run(rename->from,
                              (const char *const[]){ "mv", "--no-clobber", "--no-target-directory",
                                                     "--", folders[i].old, folders[i].new, NULL }))
                        return false;
        return true;
}

/* Exchanges the files of the two names in one step, so each host is always in exactly one file. */
static bool rename_switch(Rename *rename)
{
        const bool dry_run = rename->change.ctl->dry_run;

        if (!dry_run && !rename_is_stub(rename->new.file))
                return true;
        if (!rename_state(rename) ||
            (change_step(&rename->change, "file", "give %s the hosts of %s", rename->new.file,
                         rename->from) &&
             !change_good(rename->new.file, file_swap(rename->old.file, rename->new.file))))
                return false;
        return true;
}

/* Returns 1 if the old instance has received all its hand-offs, 0 if not, or a negative errno after
 * an error message. */
static int rename_is_drained(const Rename *rename)
{
        const char *dir = rename->change.ctl->runtime_dir;
        char socket[PATH_MAX];
        double waiting = 0;
        Samples samples;
        int r = samples_fetch(dir, &samples);

        if (r < 0 && r != -ESHUTDOWN) {
                output_error("It is not known whether connections still wait for %s: %s.",
                             rename->from, metrics_fetch_explain(r));
                return r;
        }
        if (r == 0) {
                (void)samples_find(&samples, METRIC_INSTANCE_WAITING, "instance", rename->from,
                                   &waiting);
                samples_done(&samples);
        }
        if (waiting > 0)
                return 0;
        (void)name_path_fill(NAME_HANDOFF_SOCKET, dir, rename->from, socket);
        r = queue_is_empty(socket);
        (void)change_good("It is not known whether connections still wait in the hand-off socket",
                          r);
        return r;
}

static bool rename_drain(const Rename *rename)
{
        static const struct timespec pause = { .tv_nsec = 20000000 };
        const uint64_t end = clock_monotonic_usec() + DRAIN_USEC;
        int r;

        while ((r = rename_is_drained(rename)) == 0 && clock_monotonic_usec() < end)
                (void)nanosleep(&pause, NULL);
        if (r == 0)
                output_error("The old instance does not receive its connections. To see why, run: "
                             "systemctl status bellhop@%s.service",
                             rename->from);
        return r > 0;
}

/* Makes the router read the files, and waits until the old instance has received its connections.
 * After this, removes the stub, which has the old name now. */
static bool rename_router(Rename *rename)
{
        Change *change = &rename->change;

        if (!change->ctl->dry_run && !place_exists(rename->old.file))
                return true;
        if (!change->ctl->dry_run && !rename_is_stub(rename->old.file)) {
                output_error(
                        "Another process changed %s during the rename. Move this file away first.",
                        rename->old.file);
                return false;
        }
        if (change_step(change, "router",
                        "have the router read the configuration: it sends connections to %s",
                        rename->to) &&
            (!change_reload_router(change) || !rename_drain(rename)))
                return false;
        if (change_step(change, "file", "remove %s", rename->old.file) &&
            !change_good(rename->old.file, file_remove(rename->old.file)))
                return false;
        return true;
}

/* The stub has been removed. Makes other instances read the files again if they have read the
 * stub. */
static bool rename_tell_others(Rename *rename)
{
        const char *dir = rename->change.ctl->config_dir;
        Config *config = NULL;
        const bool good = rename->change.ctl->dry_run ||
                          (change_good(dir, config_load(dir, CONFIG_USERS_CHECK, NULL, &config)) &&
                           others_reload(&rename->change, config, ROUTE_NONE));

        config_free(config);
        return good;
}

/* Renames the state that bellhop-acme has for the certificate. */
static bool rename_certificate_orders(Rename *rename)
{
        const char *dir = rename->change.ctl->config_dir;
        Instance instance = { .tls = TLS_FILES };

        if (config_read_instance(dir, rename->change.ctl->dry_run ? rename->from : rename->to,
                                 &instance) < 0 ||
            instance.tls != TLS_ACME)
                return true;
        return acme_rename_state(&rename->change, rename->from, rename->to) &&
               acme_read_files(&rename->change, true, true);
}

static bool rename_end_units(Rename *rename)
{
        Change *change = &rename->change;
        const int known = router_knows(change->ctl->runtime_dir, rename->from);

        if (!change_good(rename->old.wanted,
                         change->ctl->dry_run ? 0 : file_remove(rename->old.wanted)))
                return false;
        if (known != 0 && known != -ESHUTDOWN &&
            change_step(change, "router", "remove the routes of %s from the router",
                        rename->from) &&
            !change_reload_router(change))
                return false;
        return rename_tell_others(rename) && rename_certificate_orders(rename) &&
               ending_stop(change, rename->from) && ending_forget_network(change, rename->from) &&
               ending_forget_settings(change, rename->from) &&
               ending_close_account(change, rename->from);
}

/* Removes the links with the old names. If the old instance has made its state and cache folders
 * again, removes them, too. */
static bool rename_end_folders(Rename *rename)
{
        const Places *old = &rename->old;
        const char *const links[] = { old->www, old->tls, old->snippets, old->logs,
                                      rename->old_home };
        const char *const made[] = { old->state, old->cache };

        for (size_t i = 0; i < ELEMENTSOF(links); i++)
                if (links[i][0] &&
                    (rename->change.ctl->dry_run ? place_exists : rename_is_link)(links[i]) &&
                    change_step(&rename->change, "link", "remove the link %s", links[i]) &&
                    !change_good(links[i], file_remove(links[i])))
                        return false;
        for (size_t i = 0; !rename->change.ctl->dry_run && i < ELEMENTSOF(made); i++)
                if (place_exists(made[i]) &&
                    change_step(&rename->change, "state",
                                "remove %s, which another process made during the rename",
                                made[i]) &&
                    !program_run((const char *const[]){ "rm", "--recursive", "--force",
                                                        "--one-file-system", "--", made[i], NULL }))
                        return false;
        return true;
}

static bool rename_end_name(Rename *rename)
{
        return !change_step(&rename->change, "user", "remove the second name %s", rename->from) ||
               second_name_remove(rename->from, rename->to);
}

static bool rename_run(Rename *rename)
{
        static bool (*const steps[])(Rename * rename) = {
                rename_old_account, rename_user,      rename_group,       rename_kept_files,
                rename_folders,     rename_home,      rename_make_units,  rename_switch,
                rename_router,      rename_end_units, rename_end_folders, rename_end_name,
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                if (!steps[i](rename))
                        return false;
                if (change_is_interrupted() && i + 1 < ELEMENTSOF(steps)) {
                        output_error("Interrupted. Clients of %s are served.", rename->from);
                        return false;
                }
        }
        return true;
}

/* Shows the lines of files in which the old name must be corrected by hand. These files can be
 * crontabs, which bellhopctl does not edit because they belong to the customer. */
static void rename_say_mentions(Rename *rename)
{
        Mentions mentions = { .n = 0 };
        int r = rename_find_mentions(rename, rename->to, &mentions);

        for (size_t i = 0; r == 0 && i < RENAME_CRONTABS; i++) {
                _cleanup_free_ char *crontab = rename_kept(i, rename->to);

                r = crontab ? mentions_add(&mentions, crontab, rename->from, "*") : -ENOMEM;
        }
        (void)change_good("The search for the old name in other files failed", r);
        for (size_t i = 0; i < mentions.n; i++)
                (void)change_step(&rename->change, "by-hand",
                                  "correct by hand: %s:%u contains the old name %s",
                                  mentions.mentions[i].file, mentions.mentions[i].line,
                                  rename->from);
        mentions_done(&mentions);
}

static void rename_print_end(Rename *rename)
{
        const Ctl *ctl = rename->change.ctl;

        if (!ctl->dry_run)
                rename_say_mentions(rename);
        change_say_end(&rename->change, "");
        if (ctl->no_legend || ctl->json || ctl->dry_run)
                return;
        for (size_t i = 0; i < RENAME_KEPT; i++) {
                _cleanup_free_ char *left = rename_kept(i, rename->from);

                if (left && place_exists(left))
                        output_print("Another process made %s during the rename, so this file is "
                                     "kept.\n",
                                     left);
        }
        output_print("%s is now %s. In the instance, the old folders lead to the new ones. Cron "
                     "jobs and shells must use the new ones.\n",
                     rename->from, rename->to);
}

static CtlStatus rename_check_words(const char *from, const char *to)
{
        if (change_check_name(from) != CTL_FINE)
                return CTL_USAGE;
        if (!instance_name_is_valid(to))
                output_error("'%s' is not a valid name of an instance: use letters, digits, '-' "
                             "and '_', at most 31, with no digit or '-' first.",
                             to);
        else if (strcmp(from, to) == 0)
                output_error("The old and the new name are the same.");
        else
                return CTL_FINE;
        return CTL_USAGE;
}

CtlStatus verb_rename(const Ctl *ctl, char *arguments[])
{
        Rename rename = { .from = arguments[0], .to = arguments[1] };
        CtlStatus status = rename_check_words(rename.from, rename.to);

        if (status != CTL_FINE)
                return status;
        if (!places_init(ctl, rename.from, &rename.old) ||
            !places_init(ctl, rename.to, &rename.new))
                return CTL_FAILED;
        status = change_begin(ctl, &rename.change);
        if (status == CTL_FINE)
                status = rename_prepare(&rename);
        if (status == CTL_FINE && rename.is_done) {
                change_say_end(&rename.change, "This rename is already done.");
        } else if (status == CTL_FINE && rename_run(&rename)) {
                rename_print_end(&rename);
        } else if (status == CTL_FINE) {
                status = change_not_done();
        }
        return change_done(&rename.change, status);
}
