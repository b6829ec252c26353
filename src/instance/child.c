/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#include "instance/child.h"
#include "util/cleanup.h"
#include "util/unix-address.h"

/* Descriptors are first copied to this number or above. Otherwise, moving a descriptor to its final
 * number could overwrite another one that has not been moved yet. */
#define FDS_ABOVE 32

/* At most this number of orphans is reaped before the supervisor handles other events. */
#define ORPHANS_AT_ONCE 64

/* The exit status if the program can't be executed, as in a shell. */
#define EXIT_CANT_RUN 127

static LIST_HEAD(, Process) started = LIST_HEAD_INITIALIZER(started);

static int child_set_signals(void)
{
        sigset_t none;

        sigemptyset(&none);
        for (int number = 1; number < NSIG; number++)
                (void)signal(number, SIG_DFL); /* fails for some signals, which is not an error */
        return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* Whether the variable is only for the supervisor. Programs must not inherit such a variable,
 * because they do not talk to systemd, and bellhop's variables are not meant for them. */
static bool child_is_ours(const char *variable)
{
        static const char *const prefixes[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
                                                "BELLHOP_" };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

static int child_set_environment(const Child *child)
{
        char pid[16], n[16];
        char **kept = environ;

        for (char **at = environ; *at; at++)
                if (!child_is_ours(*at))
                        *kept++ = *at;
        *kept = NULL;
        for (size_t i = 0; child->environment && child->environment[i]; i++)
                if (putenv((char *)child->environment[i]) != 0)
                        return -errno;
        if (!child->fd_names)
                return 0;
        (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
        (void)snprintf(n, sizeof(n), "%zu", child->n_fds);
        if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", n, 1) < 0 ||
            setenv("LISTEN_FDNAMES", child->fd_names, 1) < 0)
                return -errno;
        return 0;
}

static int child_place_fds(const Child *child)
{
        int above[CHILD_FDS_MAX];

        for (size_t i = 0; i < child->n_fds; i++) {
                above[i] = fcntl(child->fds[i], F_DUPFD_CLOEXEC, FDS_ABOVE);
                if (above[i] < 0)
                        return -errno;
        }
        for (size_t i = 0; i < child->n_fds; i++)
                if (dup2(above[i], SD_LISTEN_FDS_START + (int)i) < 0)
                        return -errno;
        return close_range(SD_LISTEN_FDS_START + (unsigned)child->n_fds, ~0U, 0) < 0 ? -errno : 0;
}

int child_become(const Child *child)
{
        int r;

        assert(child->n_fds <= CHILD_FDS_MAX);
        r = child_place_fds(child);
        if (r == 0)
                r = child_set_environment(child);
        if (r == 0 && !child->keeps_capability &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
                r = -errno;
        if (r == 0)
                r = child_set_signals();
        if (r < 0)
                return r;
        (void)execv(child->argv[0], (char *const *)child->argv);
        return -errno;
}

static pid_t child_fork(const Child *child)
{
        const pid_t pid = fork();

        if (pid != 0)
                return pid < 0 ? -errno : pid;
        /* The program gets its own process group. A server sends signals to its whole group, so the
         * supervisor must not be in this group. The supervisor also uses the group to end all
         * processes of the server. */
        (void)setsid();
        errno = -child_become(child);
        (void)fprintf(stderr, "bellhop-instance: can't run %s: %m\n", child->argv[0]);
        _exit(EXIT_CANT_RUN);
}

static int child_on_end(sd_event_source *source, const siginfo_t *info, void *userdata)
{
        Process *process = userdata;

        process->has_ended = true;
        process->status = info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0)
                                                      : W_EXITCODE(0, info->si_status);
        /* The process id is still valid: sd-event reaps the process only after this function. */
        if (process->status != 0)
                (void)kill(-process->pid, process->orphan_signal);
        return 0;
}

int child_start(const Child *child, sd_event *event, Process *ret)
{
        const pid_t pid = child_fork(child);
        int r;

        if (pid < 0)
                return (int)pid;
        *ret = (Process){ .pid = pid, .orphan_signal = child->orphan_signal };
        LIST_INSERT_HEAD(&started, ret, link);
        r = sd_event_add_child(event, &ret->source, pid, WEXITED, child_on_end, ret);
        if (r < 0) {
                child_done(ret);
                *ret = (Process){ .pid = 0 };
        }
        return r;
}

int child_run(const Child *child)
{
        const pid_t pid = child_fork(child);
        int status;

        if (pid < 0)
                return (int)pid;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status;
}

void child_kill(const Process *process, int number)
{
        assert(process->pid > 0);
        if (!process->has_ended)
                (void)kill(process->pid, number);
}

void child_kill_all(const Process *process)
{
        /* If the process has not made its group yet, the first kill() fails. */
        if (process->pid > 0 && !process->has_ended && kill(-process->pid, SIGKILL) < 0)
                (void)kill(process->pid, SIGKILL);
}

void child_done(Process *process)
{
        if (process->pid > 0)
                LIST_REMOVE(process, link);
        process->source = sd_event_source_disable_unref(process->source);
        child_kill_all(process);
}

static bool child_is_started(pid_t pid)
{
        const Process *process;

        LIST_FOREACH (process, &started, link)
                if (process->pid == pid && !process->has_ended)
                        return true;
        return false;
}

static int child_on_orphan(sd_event_source *source, const struct signalfd_siginfo *unused,
                           void *userdata)
{
        siginfo_t info;

        for (unsigned n = 0; n < ORPHANS_AT_ONCE; n++) {
                info.si_pid = 0;
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
                        return 0;
                /* A program that child_start() has started is not an orphan, and the event loop
                 * reaps it. There may be more orphans, so SIGCHLD is raised again. */
                if (child_is_started(info.si_pid))
                        break;
                (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        }
        (void)raise(SIGCHLD);
        return 0;
}

int child_adopt_orphans(sd_event *event)
{
        if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
                return -errno;
        return sd_event_add_signal(event, NULL, SIGCHLD, child_on_orphan, NULL);
}

int child_bind(const char *path, int type)
{
        _cleanup_close_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
        struct sockaddr_un address;
        int size;

        if (fd < 0)
                return -errno;
        if (!path)
                return -ENOMEM;
        size = unix_address_fill(path, &address);
        if (size < 0)
                return size;
        (void)unlink(path);
        /* bind(2) gives the file the mode of the socket. */
        if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, (socklen_t)size) < 0)
                return -errno;
        return take_fd(fd);
}
