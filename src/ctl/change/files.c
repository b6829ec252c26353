/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "config/names.h"
#include "ctl/change/files.h"
#include "ctl/show/output.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define WANTS_DIR "/etc/systemd/system/bellhop.target.wants"

#define SAID_MAX 2048

bool places_init(const Ctl *ctl, const char *name, Places *ret)
{
        const char *dir = ctl->config_dir;
        char unit[NAME_UNIT_MAX];

        (void)snprintf(ret->www, PATH_MAX, WWW_DIR "/%s", name);
        (void)snprintf(ret->state, PATH_MAX, STATE_DIR "/%s", name);
        (void)snprintf(ret->cache, PATH_MAX, CACHE_DIR "/%s", name);
        (void)snprintf(ret->logs, PATH_MAX, LOG_DIR "/%s", name);
        (void)snprintf(ret->wanted, PATH_MAX, WANTS_DIR "/%s",
                       name_unit(NAME_SOCKET_UNIT, name, unit));
        if (name_path_fill(NAME_INSTANCE_FILE, dir, name, ret->file) &&
            name_path_fill(NAME_TLS_DIR, dir, name, ret->tls) &&
            name_path_fill(NAME_SNIPPET_DIR, dir, name, ret->snippets))
                return true;
        output_error("The path %s is too long.", dir);
        return false;
}

bool place_exists(const char *path)
{
        struct stat st;

        /* Root can't examine a file in a file system that a customer mounted (FUSE). So for root,
         * the path counts as existing after any error except ENOENT and ENOTDIR. */
        return lstat(path, &st) == 0 || (geteuid() == 0 && errno != ENOENT && errno != ENOTDIR);
}

bool log_folder_make(const char *name)
{
        return program_run((const char *const[]){ BELLHOP_LOG_FOLDERS_PROGRAM, name, NULL });
}

int places_count_pair(const Places *places)
{
        static const char *const names[] = { "fullchain.pem", "privkey.pem" };
        int n = 0;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = text_format("%s/%s", places->tls, names[i]);

                if (!path)
                        return -ENOMEM;
                n += place_exists(path) || errno == EACCES;
        }
        return n;
}

bool user_is_ours(const struct passwd *user)
{
        const size_t length = strlen(USER_MARK);

        /* With chfn(1), users can add room and phone numbers to pw_gecos, after a comma. */
        return strncmp(user->pw_gecos, USER_MARK, length) == 0 &&
               (user->pw_gecos[length] == 0 || user->pw_gecos[length] == ',');
}

/* Higher ids are not noted: user_make() takes the noted id plus 1 as UID_MIN, which must not be
 * above UID_MAX in login.defs(5), usually 60000. */
#define LAST_UID_MAX 59999

/* Returns the highest id that last_uid_put() has noted, or 0. */
static uid_t files_last_uid(void)
{
        _cleanup_free_ char *text = NULL;
        uint64_t uid = 0;
        size_t size;

        if (file_read(LAST_UID_FILE, O_NOFOLLOW, 64, &text, &size) == 0) {
                text[strcspn(text, "\n")] = 0;
                (void)text_number(span_from_string(text), LAST_UID_MAX, &uid);
        }
        return (uid_t)uid;
}

int last_uid_put(uid_t uid)
{
        _cleanup_free_ char *text = NULL;

        if (uid > LAST_UID_MAX || uid <= files_last_uid())
                return 0;
        if (mkdir(STATE_DIR, 0755) < 0 && errno != EEXIST)
                return -errno;
        text = text_format("%u\n", uid);
        return text ? file_write(LAST_UID_FILE, text) : -ENOMEM;
}

/* useradd(8) chooses the uid and gid after the highest ones in use. Without UID_MIN and GID_MIN,
 * these could be the ids of a removed user. The user gets no subordinate uids and gids (subuid(5)),
 * because useradd(8) would choose those of a removed user. */
bool user_make(const char *name)
{
        const uid_t last = files_last_uid();
        _cleanup_free_ char *uid_min = text_format("UID_MIN=%u", last + 1);
        _cleanup_free_ char *gid_min = text_format("GID_MIN=%u", last + 1);
        const char *words[15] = { "useradd", "--create-home",   "--comment", USER_MARK,
                                  "--key",   "SUB_UID_COUNT=0", "--key",     "SUB_GID_COUNT=0" };
        size_t n = 8;

        if (!uid_min || !gid_min)
                return false;
        if (last > 0) {
                words[n++] = "--key";
                words[n++] = uid_min;
                words[n++] = "--key";
                words[n++] = gid_min;
        }
        words[n++] = "--";
        words[n] = name;
        return program_run(words);
}

const char *const kept_by_name[] = { "/var/spool/cron/crontabs", "/var/spool/cron",
                                     "/var/lib/systemd/linger", NULL };

/* --- what add writes --- */

/* Writes the settings in the order of keys[], so the text does not depend on the order of the
 * options. */
char *instance_text(const Ctl *ctl)
{
        static const char *const keys[] = { "Host",
                                            "Address",
                                            "Default",
                                            "Http",
                                            "IdleSec",
                                            "Network",
                                            "Server",
                                            "Canonical",
                                            "Tls",
                                            "Acme",
                                            "MailPerHour",
                                            "MailPerDay",
                                            "MailRecipientsPerDay" };
        char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);

        if (!out)
                return NULL;
        fputs("# Made by bellhopctl add. After a change, run: bellhopctl apply\n[Instance]\n", out);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++)
                for (size_t j = 0; j < ctl->n_settings; j++)
                        if (ctl->settings[j].value[0] && strcmp(ctl->settings[j].key, keys[i]) == 0)
                                fprintf(out, "%s=%s\n", keys[i], ctl->settings[j].value);
        return fclose(out) == 0 ? text : NULL;
}

/* The name of the instance appears four times. It has only letters, digits, '-' and '_', so it
 * needs no escapes. */
static const char page[] =
        "<!DOCTYPE html>\n"
        "<html lang=\"en\">\n"
        "<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width\">\n"
        "<meta name=\"robots\" content=\"noindex\">\n"
        "<title>%s</title>\n"
        "<style>:root { color-scheme: light dark; font: 1.1em/1.6 system-ui, sans-serif }\n"
        "body { max-width: 32em; margin: 20vh auto; padding: 0 1.5em }</style>\n"
        "<h1>%s</h1>\n"
        "<p>The site of %s is served.\n"
        "<p>It has no pages yet. Put them into <code>" WWW_DIR "/%s</code>, and replace "
        "this page, which is <code>" FIRST_PAGE "</code> there.\n";

int first_page_put(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata)
{
        _cleanup_close_ int fd = -EBADF;

        /* The folder may remain from an earlier bellhopctl that was killed, and already belong to
         * the customer. They may have put a link at this name, so the link is removed first. */
        if (unlinkat(folder, FIRST_PAGE, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(folder, FIRST_PAGE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (fd < 0 || dprintf(fd, page, name, name, name, name) < 0 || fchown(fd, uid, gid) < 0 ||
            fchmod(fd, 0640) < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

int home_link_put(const char *home, const char *old, const char *new)
{
        _cleanup_close_ int fd = open(home, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        char target[PATH_MAX];

        /* Does nothing if the home is missing or is a link. */
        if (fd < 0)
                return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
        if (old) {
                const ssize_t n = readlinkat(fd, HOME_LINK, target, sizeof(target));

                if (n < 0 || (size_t)n != strlen(old) || memcmp(target, old, (size_t)n) != 0)
                        return 0;
                if (unlinkat(fd, HOME_LINK, 0) < 0)
                        return -errno;
        }
        return symlinkat(new, fd, HOME_LINK) < 0 && errno != EEXIST ? -errno : 0;
}

/* --- all or nothing --- */

char *unfinished_path(const char *path)
{
        const char *name = strrchr(path, '/') + 1;

        return text_format("%.*s.%s.new", (int)(name - path), path, name);
}

static int files_sync_parent(const char *path)
{
        _cleanup_free_ char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
        _cleanup_close_ int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_write(const char *path, const char *text)
{
        _cleanup_free_ char *unfinished = unfinished_path(path);
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (!unfinished)
                return -ENOMEM;
        fd = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        /* Sets the mode independently of the umask, because the router must read the file. */
        r = dprintf(fd, "%s", text) < 0 || fchmod(fd, 0644) < 0 || fsync(fd) < 0 ||
                            rename(unfinished, path) < 0
                    ? -errno
                    : files_sync_parent(path);
        if (r < 0)
                (void)unlink(unfinished);
        return r;
}

int file_remove(const char *path)
{
        if (unlink(path) < 0)
                return errno == ENOENT ? 0 : -errno;
        return files_sync_parent(path);
}

/* Removes a folder that folder_make() could not finish, and all files in it. The folder may already
 * belong to the customer, so it is first made accessible only to root. If the customer has made a
 * folder in it, both folders remain. */
static void files_discard(int parent, const char *name, int folder)
{
        const int copy = fcntl(folder, F_DUPFD_CLOEXEC, 0);
        DIR *dir = copy < 0 ? NULL : fdopendir(copy);

        if (fchown(folder, 0, 0) == 0)
                (void)fchmod(folder, 0700);
        for (const struct dirent *entry; dir && (entry = readdir(dir));)
                (void)unlinkat(folder, entry->d_name, 0);
        if (dir)
                (void)closedir(dir);
        else
                (void)close_fd(copy);
        (void)unlinkat(parent, name, AT_REMOVEDIR);
}

int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata),
                const void *userdata)
{
        _cleanup_free_ char *unfinished = text_format(".%s.new", name);
        _cleanup_close_ int parent_fd = -EBADF, fd = -EBADF;
        int r;

        if (!unfinished)
                return -ENOMEM;
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
                return -errno;
        parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        /* Root owns the parent, so no other user can make a folder with the temporary name. */
        if (parent_fd < 0 || (mkdirat(parent_fd, unfinished, 0700) < 0 && errno != EEXIST))
                return -errno;
        fd = openat(parent_fd, unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fill ? fill(fd, name, uid, gid, userdata) : 0;
        if (r == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
                       renameat(parent_fd, unfinished, parent_fd, name) < 0))
                r = -errno;
        if (r != 0)
                files_discard(parent_fd, unfinished, fd);
        else if (fsync(parent_fd) < 0)
                r = -errno;
        return r;
}

int snippet_folder_make(const char *config_dir, const char *name)
{
        _cleanup_free_ char *sites = text_format("%s/sites", config_dir);
        const struct passwd *user = getpwnam(name);

        if (!sites || !user)
                return sites ? -ESRCH : -ENOMEM;
        return folder_make(sites, name, 0, user->pw_gid, 0750, NULL, NULL);
}

/* Exchanges the folder "from" and the link "to" in one step, or in several steps if the file system
 * can't exchange files. name: the target of the link. */
static int files_swap(const char *from, const char *to, const char *name)
{
        if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE) == 0)
                return 0;
        if (errno != EINVAL && errno != ENOSYS)
                return -errno;
        return unlink(to) < 0 || rename(from, to) < 0 || symlink(name, from) < 0 ? -errno : 0;
}

int folder_rename(const char *from, const char *to)
{
        const char *name = strrchr(to, '/') + 1;
        struct stat st;
        int r;

        if (lstat(from, &st) < 0)
                return errno == ENOENT ? 0 : -errno;
        if (S_ISLNK(st.st_mode))
                return 0;
        /* First makes a link at the new name, which points to itself. Then exchanges the link and
         * the folder: the link gets the old name, and points to the folder with the new name. If
         * the exchange is a single step, the old name always leads to the folder. */
        if (symlink(name, to) < 0 && errno != EEXIST)
                return -errno;
        r = files_swap(from, to, name);
        if (r < 0 && lstat(to, &st) == 0 && S_ISLNK(st.st_mode))
                (void)unlink(to);
        return r < 0 ? r : files_sync_parent(to);
}

int file_rename(const char *from, const char *to)
{
        return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0
                       ? -errno
                       : files_sync_parent(to);
}

int file_swap(const char *a, const char *b)
{
        return renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) < 0 ? -errno
                                                                        : files_sync_parent(b);
}

/* --- mounts --- */

/* Returns the mount point in a line of mountinfo, and changes the line. NULL: there is no mount
 * point. */
static char *files_parse_mount(char *line)
{
        char *place = NULL;

        for (int i = 0; line && i < 5; i++)
                place = strsep(&line, " ");
        return place;
}

int mount_find(const char *path, char **ret)
{
        _cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
        _cleanup_free_ char *line = NULL, *real = realpath(path, NULL);
        const size_t length = real ? strlen(real) : 0;
        size_t size = 0;

        *ret = NULL;
        if (!mounts || !real)
                return !mounts || errno != ENOENT ? -errno : 0;
        while (getline(&line, &size, mounts) >= 0) {
                const char *place = files_parse_mount(line);

                if (place && strncmp(place, real, length) == 0 &&
                    (place[length] == '/' || place[length] == 0)) {
                        *ret = strdup(place);
                        return *ret ? 0 : -ENOMEM;
                }
        }
        return feof(mounts) ? 0 : -errno;
}

/* --- programs --- */

_Noreturn static void files_exec(const char *const arguments[], int output)
{
        const int input = open("/dev/null", O_RDONLY | O_CLOEXEC);

        /* Gives the program its own process group, so that a Ctrl-C does not end it. bellhopctl
         * itself catches the signal, and goes on waiting for the program. */
        if (setpgid(0, 0) == 0 && dup2(input, STDIN_FILENO) >= 0 &&
            dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0)
                (void)execvp(arguments[0], (char *const *)arguments);
        (void)dprintf(output, "%s", strerror(errno));
        _exit(EXIT_FAILURE);
}

bool program_try(const char *const arguments[], char ret_error[static PROGRAM_ERROR_MAX])
{
        _cleanup_close_ int output = memfd_create("output", MFD_CLOEXEC);
        const pid_t pid = output < 0 ? -1 : fork();
        char said[SAID_MAX] = "it printed no message";
        int status = 0;
        ssize_t n;

        if (pid == 0)
                files_exec(arguments, output);
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (pid > 0 && status == 0)
                return true;
        if (pid < 0) {
                (void)snprintf(said, sizeof(said), "%s", strerror(errno));
        } else if (WIFSIGNALED(status)) {
                (void)snprintf(said, sizeof(said), "%s", strsignal(WTERMSIG(status)));
        } else if ((n = pread(output, said, sizeof(said) - 1, 0)) > 0) {
                said[n] = 0;
                said[n - (said[n - 1] == '\n')] = 0;
                for (char *end = said; (end = strchr(end, '\n'));)
                        *end = ' ';
        }
        (void)snprintf(ret_error, PROGRAM_ERROR_MAX, "%s %s failed: %s", arguments[0], arguments[1],
                       said);
        return false;
}

bool program_run(const char *const arguments[])
{
        char error[PROGRAM_ERROR_MAX];

        if (program_try(arguments, error))
                return true;
        output_error("%s", error);
        return false;
}
