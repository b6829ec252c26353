/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl remove: removes the file of the instance first. If the command is interrupted after
 * this, the instance does not exist after the next boot. Run the same command again: it removes the
 * rest.
 */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "config/config.h"
#include "ctl/ask/access.h"
#include "ctl/ask/limits.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/change/acme.h"
#include "ctl/change/change.h"
#include "ctl/change/ending.h"
#include "ctl/change/files.h"
#include "ctl/change/others.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

/* Processes that wait for a file system may take this long to end after SIGKILL. */
#define PROGRAMS_END_NSEC (10 * NSEC_PER_SEC)

/* No user has this uid, because it was (uid_t)-1 when uids had 16 bits. */
#define NOBODYS_UID 65535

typedef struct Remove {
        Change change;
        const char *name;
        Places places;
        uid_t uid; /* of the user to be removed, or 0 */
} Remove;

/* --- steps; each returns false if it was not done completely --- */
static bool remove_file(Remove *remove, const char *kind, const char *path)
{
        if (!place_exists(path) || !change_step(&remove->change, kind, "remove %s", path))
                return true;
        return change_good(path, file_remove(path));
}

/* The router must stop sending connections to the instance before the units are stopped. */
static bool remove_routes(Remove *remove, bool had_file)
{
        const int known =
                had_file ? 1 : router_knows(remove->change.ctl->runtime_dir, remove->name);

        /* A router that does not answer may still have the instance. */
        if (known == 0 || known == -ESHUTDOWN)
                return true;
        return !change_step(&remove->change, "router",
                            "have the router read the configuration: it no longer serves %s",
                            remove->name) ||
               change_reload_router(&remove->change);
}

/* Other instances with wildcards may serve the removed hosts now, so they must read the files
 * again. */
static bool remove_hosts(Remove *remove)
{
        const char *dir = remove->change.ctl->config_dir;
        Config *config = NULL;
        const bool good =
                change_good(dir, config_load(dir, CONFIG_USERS_CHECK, NULL, &config)) &&
                others_reload(&remove->change, config, config_find_instance(config, remove->name));

        config_free(config);
        return good;
}

/* Makes a folder accessible only to root, so the customer's programs can no longer reach anything
 * in it. Only a program whose current folder is below this folder can still make files there, and
 * so delay the removal. */
static void remove_close_folder(const char *path)
{
        _cleanup_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (fd >= 0 && fchown(fd, 0, 0) == 0)
                (void)fchmod(fd, 0700);
}

/* During the removal, the customer can't redirect rm(1) to other files: root owns the folder that
 * contains path, and rm(1) follows no link below path. */
static bool remove_tree(const char *path)
{
        _cleanup_free_ char *mount = NULL;

        if (!change_good("The list of mounts can't be read", mount_find(path, &mount)))
                return false;
        if (mount) {
                /* The customer may have chosen the name of the mount point, so the message contains
                 * no command with this name: a shell could run parts of the name. */
                output_error("%s is not removed, because a file system is mounted there. Unmount "
                             "it first: %s",
                             path, mount);
                return false;
        }
        remove_close_folder(path);
        return program_run((const char *const[]){ "rm", "--recursive", "--force",
                                                  "--one-file-system", "--", path, NULL });
}

static bool remove_folder(Remove *remove, const char *kind, const char *path)
{
        return !place_exists(path) ||
               !change_step(&remove->change, kind, "remove %s and its contents", path) ||
               remove_tree(path);
}

static bool remove_folders(Remove *remove)
{
        const Places *places = &remove->places;
        const struct {
                const char *kind, *path;
                bool is_made; /* folder_make() makes it; if this was interrupted, an unfinished
                                 folder remains */
        } folders[] = {
                { "certificate", places->tls, true },   { "snippets", places->snippets, true },
                { "document-root", places->www, true }, { "state", places->state, false },
                { "cache", places->cache, false },      { "logs", places->logs, false },
        };
        bool good = true;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *unfinished =
                        folders[i].is_made ? unfinished_path(folders[i].path) : NULL;

                good = remove_folder(remove, folders[i].kind, folders[i].path) && good;
                if (unfinished)
                        good = remove_folder(remove, folders[i].kind, unfinished) && good;
        }
        return good;
}

typedef bool RemoveMatch(const Remove *remove, int folder, const char *name);

/* Removes the customer's files in a folder that root owns. The names of these files do not contain
 * the name of the user, so match() recognizes files by their owner, and links by their target. */
static bool remove_matching(Remove *remove, const char *kind, const char *folder,
                            RemoveMatch *match)
{
        const bool is_dry_run = remove->change.ctl->dry_run;
        DIR *dir = opendir(folder);
        bool good = true;

        if (!dir)
                return change_good(folder,
                                   errno == ENOENT || (errno == EACCES && is_dry_run) ? 0 : -errno);
        for (const struct dirent *entry; (entry = readdir(dir));)
                if (match(remove, dirfd(dir), entry->d_name) &&
                    change_step(&remove->change, kind, "remove %s/%s", folder, entry->d_name) &&
                    unlinkat(dirfd(dir), entry->d_name, 0) < 0 && errno != ENOENT)
                        good = change_good(folder, -errno);
        (void)closedir(dir);
        return good;
}

static bool remove_is_log_link(const Remove *remove, int folder, const char *name)
{
        char target[NAME_MAX + 1];
        const ssize_t n = readlinkat(folder, name, target, sizeof(target) - 1);

        if (n < (ssize_t)strlen("../"))
                return false;
        target[n] = 0;
        return strcmp(target + strlen("../"), remove->name) == 0;
}

/* Removes the links whose name is a uid and whose target is the folder of the customer's logs. If
 * such a link remained, a later customer with this name could get the logs of a later user with
 * that uid. */
static bool remove_log_links(Remove *remove)
{
        return remove_matching(remove, "logs", LOG_DIR "/.uid", remove_is_log_link);
}

static bool remove_is_job(const Remove *remove, int folder, const char *name)
{
        struct stat st;

        return remove->uid != 0 && fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISREG(st.st_mode) && st.st_uid == remove->uid;
}

/* Removes the user's jobs of at(1), because atd(8) would run them for a later user with the same
 * uid. Debian keeps them in atjobs, Red Hat in at. */
static bool remove_jobs(Remove *remove)
{
        return remove_matching(remove, "user", "/var/spool/cron/atjobs", remove_is_job) &&
               remove_matching(remove, "user", "/var/spool/at", remove_is_job);
}

/* Removes the files that other programs keep under the user's name, because userdel(8) does not
 * remove them. */
static bool remove_kept(Remove *remove)
{
        bool good = true;

        for (size_t i = 0; kept_by_name[i]; i++) {
                _cleanup_free_ char *path = text_format("%s/%s", kept_by_name[i], remove->name);
                struct stat st;

                if (path && lstat(path, &st) == 0 && S_ISREG(st.st_mode))
                        good = remove_file(remove, "user", path) && good;
        }
        return good;
}

/* Removes the limit of the disk space. The kernel stores it as a quota of the uid, which another
 * user may get later. */
static bool remove_quota(Remove *remove)
{
        const struct passwd *user = getpwnam(remove->name);
        char folder[PATH_MAX];
        Quota quota;

        limit_disk_folder(remove->name, folder);
        if (!user || quota_get(folder, user->pw_uid, &quota) != QUOTA_ON || quota.max == UNKNOWN ||
            !change_step(&remove->change, "limit", "remove the limit of the disk space of %s",
                         remove->name))
                return true;
        return change_good(folder, quota_set(folder, user->pw_uid, UNKNOWN));
}

/* Whether the customer owns the home, or root owns it because an earlier bellhopctl was killed
 * while it removed the home. A home that is the chroot of a user also belongs to root, but it is
 * kept: its mode is not 0700, because the user has to enter it. */
static bool remove_is_home(const Remove *remove, const char *home)
{
        struct stat st;

        if (lstat(home, &st) < 0)
                return place_exists(home);
        return S_ISDIR(st.st_mode) &&
               (st.st_uid == remove->uid || (st.st_uid == 0 && (st.st_mode & 07777) == 0700 &&
                                             strcmp(strrchr(home, '/') + 1, remove->name) == 0));
}

/* userdel(8) removes the user even if it can't remove the home, for example because a file system
 * of the customer is mounted there or folders are nested too deeply. Then the next customer with
 * this name would get the home. So the home is removed first. */
static bool remove_home(const Remove *remove, const char *home)
{
        const char *name = strrchr(home, '/');
        char parent[PATH_MAX];
        Access access;

        if (!name || name == home || name - home >= PATH_MAX)
                return true;
        (void)snprintf(parent, sizeof(parent), "%.*s", (int)(name - home), home);
        return access_ask_roots(parent, &access) != 0 || access.error != 0 ||
               !remove_is_home(remove, home) || remove_tree(home);
}

/* Kills all processes that a process of the user may signal. The uids by which the kernel decides
 * who may signal the killing process itself are not the user's, so no program of the user can stop
 * or kill it. */
static int remove_kill(uid_t uid)
{
        const pid_t pid = fork();
        int status;

        if (pid == 0)
                _exit(setresuid(NOBODYS_UID, uid, NOBODYS_UID) < 0 ||
                                      (kill(-1, SIGKILL) < 0 && errno != ESRCH)
                              ? errno
                              : 0);
        if (pid < 0 || TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0)
                return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

static bool remove_has_programs(const Remove *remove)
{
        errno = 0;
        (void)getpriority(PRIO_USER, remove->uid);
        return errno != ESRCH;
}

/* Ends all programs of the user, wherever they were started (ssh, cron, screen), because userdel(8)
 * fails while one is running. Programs that fork in the meantime are killed in the next round. */
static bool remove_programs(const Remove *remove)
{
        static const struct timespec pause = { .tv_nsec = 20000000 };
        const uint64_t end_nsec = clock_nsec(CLOCK_MONOTONIC) + PROGRAMS_END_NSEC;
        int r = remove->uid != 0 && remove->uid != geteuid() ? 0 : -ESRCH;

        /* remove_has_programs() does not see programs with subordinate uids of the user, but the
         * first round kills them, too, because the user owns their user namespace. */
        while (r == 0) {
                r = remove_kill(remove->uid);
                if (r < 0 || !remove_has_programs(remove))
                        break;
                if (clock_nsec(CLOCK_MONOTONIC) > end_nsec)
                        r = -ETIMEDOUT;
                (void)nanosleep(&pause, NULL);
        }
        if (r == 0)
                return true;
        output_error("The programs of user %s can't be ended: %s. 'ps -u %s' lists them.",
                     remove->name, strerror(-r), remove->name);
        return false;
}

static bool remove_expire(const Remove *remove)
{
        return program_run(
                (const char *const[]){ "usermod", "--expiredate", "1", "--", remove->name, NULL });
}

/* Comes before folders are removed, because a program whose current folder is in one of them could
 * make folders faster than rm(1) removes them. After the account has expired, no login or job can
 * start programs. They are ended before this, because one of them can keep usermod(8) from changing
 * the user, and once more after it. */
static bool remove_end_programs(Remove *remove)
{
        const struct passwd *user = getpwnam(remove->name);

        if (!user || !user_is_ours(user))
                return true;
        remove->uid = user->pw_uid;
        return !change_step(&remove->change, "user",
                            "end all programs of user %s, and let the account expire",
                            remove->name) ||
               (remove_programs(remove) && remove_expire(remove) && remove_programs(remove));
}

static bool remove_user(Remove *remove)
{
        const struct passwd *user = getpwnam(remove->name);
        _cleanup_free_ char *home = user ? strdup(user->pw_dir) : NULL;
        const gid_t gid = user ? user->pw_gid : 0;

        if (user && !user_is_ours(user))
                return true;
        if (user && !home)
                return change_good(remove->name, -ENOMEM);
        if (!remove_kept(remove) || !remove_jobs(remove))
                return false;
        if (!user ||
            !change_step(&remove->change, "user", "remove user %s and %s", remove->name, home))
                return true;
        /* While the home existed, mail to the user could start programs (~/.forward). They could
         * make new jobs, so the jobs are removed again. While a program is running, userdel
         * fails. */
        return remove_home(remove, home) && remove_programs(remove) &&
               change_good(LAST_UID_FILE, last_uid_put(remove->uid)) &&
               change_good(LAST_UID_FILE, last_uid_put(gid)) &&
               program_run(
                       (const char *const[]){ "userdel", "--remove", "--", remove->name, NULL }) &&
               remove_kept(remove) && remove_jobs(remove);
}

/* If the instance had Tls=acme, bellhop-acme must read the files again. If an earlier command has
 * already removed the instance's file, Tls= is unknown. Then bellhop-acme is reloaded, unless it
 * has certainly read the files since the removal. */
static bool remove_certificate_orders(Remove *remove, bool had_file, bool had_acme)
{
        return (had_file && !had_acme) || acme_read_files(&remove->change, false, had_acme);
}

static bool remove_all(Remove *remove)
{
        const char *dir = remove->change.ctl->config_dir;
        const Places *places = &remove->places;
        const bool had_file = place_exists(places->file);
        Instance instance = { .tls = TLS_FILES };
        const bool had_acme = had_file && config_read_instance(dir, remove->name, &instance) == 0 &&
                              instance.tls == TLS_ACME;
        bool good = remove_file(remove, "file", places->file) &&
                    remove_file(remove, "enabled", places->wanted) &&
                    remove_routes(remove, had_file) && remove_hosts(remove) &&
                    remove_certificate_orders(remove, had_file, had_acme) &&
                    ending_stop(&remove->change, remove->name) &&
                    ending_forget_network(&remove->change, remove->name);

        if (!good || !remove->change.ctl->purge)
                return good;
        if (!remove_end_programs(remove))
                return false;
        good = ending_forget_settings(&remove->change, remove->name);
        good = remove_quota(remove) && good;
        good = remove_folders(remove) && good;
        good = remove_log_links(remove) && good;
        good = acme_remove_state(&remove->change, remove->name) && good;
        good = ending_close_account(&remove->change, remove->name) && good;
        return remove_user(remove) && good;
}

/* Whether anything with that name exists, or was removed by this command. */
static bool remove_is_known(const Remove *remove)
{
        const Places *places = &remove->places;
        const struct passwd *user = getpwnam(remove->name);

        return remove->change.n_steps > 0 || place_exists(places->www) ||
               place_exists(places->tls) || place_exists(places->snippets) ||
               place_exists(places->state) || place_exists(places->cache) ||
               place_exists(places->logs) || (user && user_is_ours(user));
}

static void remove_print_rest(const Remove *remove)
{
        const Ctl *ctl = remove->change.ctl;
        const char *const places[] = { remove->places.www,      remove->places.tls,
                                       remove->places.snippets, remove->places.state,
                                       remove->places.cache,    remove->places.logs };
        const char *separator = "Kept: ";
        _cleanup_free_ char *nothing =
                text_format("Nothing of %s remains to be removed.", remove->name);

        change_say_end(&remove->change, nothing ? nothing : remove->name);
        if (ctl->no_legend || ctl->json || ctl->dry_run)
                return;
        for (size_t i = 0; i < ELEMENTSOF(places); i++)
                if (place_exists(places[i])) {
                        output_print("%s%s", separator, places[i]);
                        separator = ", ";
                }
        if (getpwnam(remove->name) && (*separator == ',' || ctl->purge)) {
                output_print("%suser %s", separator, remove->name);
                separator = ", ";
        }
        if (*separator == ',')
                output_print(".%s\n", ctl->purge ? " bellhopctl did not create the user."
                                                 : " Add --purge to remove them, too.");
}

/* Asks for confirmation before a purge, because purged files can't be restored. */
static CtlStatus remove_ask(const Ctl *ctl, const char *name)
{
        char answer[64] = "";

        if (!ctl->purge || ctl->yes || ctl->dry_run)
                return CTL_FINE;
        if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
                output_error("--purge permanently removes the pages, certificate and settings of "
                             "%s. Add --yes to do this; --dry-run shows what it removes.",
                             name);
                return CTL_USAGE;
        }
        fprintf(stderr,
                "The pages, certificate and settings of %s will be permanently removed, and also "
                "the user with its home and running programs if bellhopctl created it.\n"
                "Type the name to continue: ",
                name);
        if (!fgets(answer, sizeof(answer), stdin))
                answer[0] = 0;
        answer[strcspn(answer, "\n")] = 0;
        if (strcmp(answer, name) == 0)
                return CTL_FINE;
        output_error("Nothing was changed.");
        return CTL_FAILED;
}

CtlStatus verb_remove(const Ctl *ctl, char *arguments[])
{
        Remove remove = { .name = arguments[0] };
        CtlStatus status = change_check_name(remove.name);

        if (status != CTL_FINE)
                return status;
        if (!places_init(ctl, remove.name, &remove.places))
                return CTL_FAILED;
        status = remove_ask(ctl, remove.name);
        if (status != CTL_FINE)
                return status;
        status = change_begin(ctl, &remove.change);
        if (status == CTL_FINE && remove_all(&remove)) {
                if (remove_is_known(&remove)) {
                        remove_print_rest(&remove);
                } else {
                        output_error("There is no instance '%s', and no files of a removed one. "
                                     "'bellhopctl list' shows all instances.",
                                     remove.name);
                        status = CTL_FAILED;
                }
        } else if (status == CTL_FINE) {
                status = change_not_done();
        }
        return change_done(&remove.change, status);
}
