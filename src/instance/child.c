/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <systemd/sd-daemon.h>

#include "instance/child.h"
#include "util/cleanup.h"

/* Above what the program gets, so that moving one descriptor into place overwrites none. */
#define FDS_ABOVE 32

static int child_set_signals(void)
{
        sigset_t none;

        sigemptyset(&none);
        for (int number = 1; number < NSIG; number++)
                (void)signal(number, SIG_DFL); /* not for all of them, which is fine */
        return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

/* systemd hears of the instance from the supervisor alone, and programs of the customer's find none
 * of our own words. */
static bool child_is_ours(const char *variable)
{
        static const char *const prefixes[] = { "NOTIFY_SOCKET=", "WATCHDOG_", "LISTEN_",
                                                "BELLHOP_" };

        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++)
                if (strncmp(variable, prefixes[i], strlen(prefixes[i])) == 0)
                        return true;
        return false;
}

static int child_clear_environment(void)
{
        for (char **at = environ; *at;) {
                char name[64];
                const size_t length = strcspn(*at, "=");

                if (!child_is_ours(*at)) {
                        at++;
                        continue;
                }
                if (length >= sizeof(name))
                        return -ENAMETOOLONG;
                memcpy(name, *at, length);
                name[length] = 0;
                if (unsetenv(name) < 0)
                        return -errno;
                at = environ;
        }
        return 0;
}

static int child_set_environment(const Child *child)
{
        char pid[16], n[16];
        int r = child_clear_environment();

        for (size_t i = 0; r == 0 && child->environment && child->environment[i]; i++)
                r = putenv((char *)child->environment[i]) == 0 ? 0 : -errno;
        if (r < 0 || !child->fd_names)
                return r;
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

pid_t child_start(const Child *child)
{
        const pid_t pid = fork();

        if (pid < 0)
                return -errno;
        if (pid > 0)
                return pid;
        /* A group of its own: servers signal theirs, and it can be ended as a whole. */
        (void)setsid();
        errno = -child_become(child);
        (void)fprintf(stderr, "bellhop-instance: can't run %s: %m\n", child->argv[0]);
        _exit(CHILD_EXIT_CANT_RUN);
}
