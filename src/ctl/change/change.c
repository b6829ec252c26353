/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "ctl/ask/stale.h"
#include "ctl/change/change.h"
#include "util/cleanup.h"

#define ROUTER_SERVICE "bellhop-router.service"
#define ROUTER_SOCKET  "bellhop-router.socket"

#define SAID_MAX 2048

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
        interrupted = 1;
}

bool change_is_interrupted(void)
{
        return interrupted;
}

static void delay_signals(void)
{
        static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
        const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                (void)sigaction(numbers[i], &action, NULL);
        /* Who reads the output may go before all is done. */
        (void)signal(SIGPIPE, SIG_IGN);
}

/* Of the folder, so that no file is left behind; it goes with the process. */
static int lock_configuration(const char *config_dir)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int fd = -EBADF;

        if (asprintf(&path, "%s/instances", config_dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || flock(fd, LOCK_EX) < 0)
                return -errno;
        return take_fd(fd);
}

static CtlStatus take_lock(Change *change)
{
        const char *dir = change->ctl->config_dir;

        change->lock = lock_configuration(dir);
        if (change->lock >= 0)
                return CTL_FINE;
        output_error("%s/instances can't be used: %s.%s", dir, strerror(-change->lock),
                     change->lock == -ENOENT ? " Is bellhop installed?" : "");
        return CTL_FAILED;
}

CtlStatus change_begin(const Ctl *ctl, Change *ret)
{
        static const Column columns[] = {
                { "", "change", 0, SCOLS_JSON_STRING },
                { "", "what", 0, SCOLS_JSON_STRING },
        };
        int r;

        *ret = (Change){ .ctl = ctl, .lock = -EBADF };
        output_start(ctl, &ret->output);
        if (ctl->json)
                ret->steps = table_new(&ret->output, "changes", columns, ELEMENTSOF(columns));
        if (ctl->json && !ret->steps)
                return output_no_memory();
        if (!ctl->dry_run && geteuid() != 0) {
                output_error("Only root can change customers. Use sudo, or --dry-run to see what "
                             "would be done.");
                return CTL_FAILED;
        }
        r = bus_open(&ret->bus);
        if (r < 0) {
                output_error("systemd can't be asked: %s. Is it running, and dbus installed?",
                             strerror(-r));
                return CTL_FAILED;
        }
        if (ctl->dry_run)
                return CTL_FINE;
        delay_signals();
        return take_lock(ret);
}

CtlStatus change_done(Change *change, CtlStatus status)
{
        if (change->steps && table_print(change->steps) < 0)
                change->failed = true;
        change->steps = table_free(change->steps);
        change->bus = bus_close(change->bus);
        change->lock = close_fd(change->lock);
        return output_done(&change->output, change->failed ? output_no_memory() : status);
}

void change_say(Change *change, const char *kind, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        TableLine *line;
        va_list args;
        int r;

        change->n_steps++;
        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        if (r < 0)
                text = NULL;
        if (!change->steps) {
                printf("%s%s%s\n", output_color(&change->output, COLOR_FAINT), text ? text : kind,
                       output_color_end(&change->output));
                (void)fflush(stdout);
                return;
        }
        line = table_add(change->steps, NULL);
        if (!text || !line || table_set(line, 0, kind) < 0 || table_set(line, 1, text) < 0)
                change->failed = true;
}

CtlStatus change_fail(const char *what, int error)
{
        output_error("%s: %s.", what, strerror(-error));
        return CTL_FAILED;
}

/* --- files --- */

/* "folder/name" to "folder/.name.new", which nobody takes for a file of ours. */
static char *unfinished_path(const char *path)
{
        const char *slash = strrchr(path, '/');
        char *unfinished;

        if (!slash ||
            asprintf(&unfinished, "%.*s/.%s.new", (int)(slash - path), path, slash + 1) < 0)
                return NULL;
        return unfinished;
}

static int sync_parent(const char *path)
{
        _cleanup_free_ char *folder = strndup(path, (size_t)(strrchr(path, '/') - path));
        _cleanup_close_ int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text)
{
        size_t size = strlen(text);

        while (size > 0) {
                const ssize_t n = write(fd, text, size);

                if (n < 0)
                        return -errno;
                text += n;
                size -= (size_t)n;
        }
        return 0;
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
        r = write_all(fd, text);
        /* Not as the umask has it: the router reads it. */
        if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(unfinished, path) < 0))
                r = -errno;
        if (r < 0)
                (void)unlink(unfinished);
        return r < 0 ? r : sync_parent(path);
}

int file_remove(const char *path)
{
        if (unlink(path) < 0)
                return errno == ENOENT ? 0 : -errno;
        return sync_parent(path);
}

/* The parent is root's: nobody else can be in the way of the new name. */
static int make_unfinished(int parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                           int (*fill)(int, const char *, uid_t, gid_t), const char *real_name)
{
        _cleanup_close_ int fd = -EBADF;
        int r;

        if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        r = fill ? fill(fd, real_name, uid, gid) : 0;
        if (r == 0 && (fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
                       renameat(parent, name, parent, real_name) < 0 || fsync(parent) < 0))
                r = -errno;
        return r;
}

int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid))
{
        _cleanup_close_ int fd = -EBADF;
        char unfinished[UNIT_NAME_MAX];

        (void)snprintf(unfinished, sizeof(unfinished), ".%s.new", name);
        if (mkdir(parent, 0755) < 0 && errno != EEXIST)
                return -errno;
        fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return make_unfinished(fd, unfinished, uid, gid, mode, fill, name);
}

/* --- programs --- */

/* In a group of its own: a Ctrl-C is for us, who wait for it. */
static pid_t start(const char *const arguments[], int output)
{
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        pid_t pid = 0;
        int r;

        if (posix_spawn_file_actions_init(&actions) != 0)
                return -ENOMEM;
        if (posix_spawnattr_init(&attributes) != 0) {
                (void)posix_spawn_file_actions_destroy(&actions);
                return -ENOMEM;
        }
        r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
        if (r == 0)
                r = posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
        if (r == 0)
                r = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        if (r == 0)
                r = posix_spawnp(&pid, arguments[0], &actions, &attributes,
                                 (char *const *)arguments, environ);
        (void)posix_spawnattr_destroy(&attributes);
        (void)posix_spawn_file_actions_destroy(&actions);
        return r == 0 ? pid : -r;
}

bool program_run(const char *const arguments[])
{
        _cleanup_close_ int output = memfd_create("output", MFD_CLOEXEC);
        const pid_t pid = output < 0 ? -errno : start(arguments, output);
        char said[SAID_MAX] = "";
        int status = 0;
        ssize_t n;

        if (pid < 0) {
                output_error("%s can't be run: %s.", arguments[0], strerror((int)-pid));
                return false;
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                return true;
        n = pread(output, said, sizeof(said) - 1, 0);
        said[n > 0 ? n : 0] = 0;
        said[strcspn(said, "\n")] = 0;
        if (WIFSIGNALED(status))
                output_error("%s was killed: %s", arguments[0], strsignal(WTERMSIG(status)));
        else
                output_error("%s has failed: %s", arguments[0], said[0] ? said : "it says nothing");
        return false;
}

/* --- systemd --- */

static void say_failure(const BusJob *job)
{
        if (job->error < 0)
                output_error("systemd can't do that with %s: %s", job->unit,
                             job->why ? job->why : strerror(-job->error));
        else
                output_error("%s: %s. See systemctl status %s; journalctl -xeu %s", job->unit,
                             job->result, job->unit, job->unit);
}

typedef struct Progress {
        const char *doing;
        bool shown;
} Progress;

static void show_progress(size_t n_done, size_t n, void *userdata)
{
        Progress *progress = userdata;

        if (n < 20 || !isatty(STDERR_FILENO))
                return;
        fprintf(stderr, "\r%s: %zu of %zu ", progress->doing, n_done, n);
        progress->shown = true;
}

bool change_jobs(Change *change, const char *doing, BusJob jobs[], size_t n)
{
        Progress progress = { .doing = doing };
        int r = bus_run_jobs(change->bus, jobs, n, show_progress, &progress);
        bool good = r == 0;

        if (progress.shown)
                fputs("\r\033[K", stderr);
        if (r < 0)
                output_error("systemd does not answer: %s.", strerror(-r));
        for (size_t i = 0; r == 0 && i < n; i++)
                if (!job_is_done(&jobs[i])) {
                        say_failure(&jobs[i]);
                        good = false;
                }
        jobs_done(jobs, n);
        return good;
}

bool change_job(Change *change, JobKind kind, const char *unit)
{
        BusJob job = { .kind = kind };

        (void)snprintf(job.unit, sizeof(job.unit), "%s", unit);
        return change_jobs(change, unit, &job, 1);
}

CtlStatus change_check_served(const Change *change)
{
        Units units;
        bool active;
        const int r = bus_list_units(change->bus, "bellhop-router.*", &units);

        if (r < 0)
                return change_fail("systemd does not answer", r);
        active = unit_is_active(&units, ROUTER_SOCKET);
        units_done(&units);
        if (active)
                return CTL_FINE;
        output_error("%s is not active, so nobody would be served. First: systemctl enable --now "
                     "bellhop.target",
                     ROUTER_SOCKET);
        return CTL_FAILED;
}

/* One that does not run reads them at its start. */
bool change_reload_router(Change *change)
{
        wait_past(changed_router(change->ctl->config_dir));
        return change_job(change, JOB_RELOAD_OR_TRY_RESTART, ROUTER_SERVICE);
}
