/* SPDX-License-Identifier: MIT */
/*
 * The program that configtest_run() runs is the first process in its own PID namespace, so all
 * processes that it starts end with it. If it takes too long, we send SIGKILL, which also kills
 * stopped processes. We wait for its end with a pidfd, and never for anything that the customer
 * could delay.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "ctl/check/configtest.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

/* The time that we wait after SIGKILL. A process that waits for a dead file server does not end, so
 * we then leave it to the kernel. */
#define CONFIGTEST_KILL_SECONDS 2

/* This number of reads is enough to empty a full pipe. */
#define CONFIGTEST_READS 100

/* The maximum number of processes, as in TasksMax= of the instance. Here, the customer's other
 * processes count, too. */
#define CONFIGTEST_TASKS 1024

/* --- in the program, after the fork --- */

static int configtest_make_input(const ConfigTest *configtest)
{
        const int fd = memfd_create("input", MFD_CLOEXEC);

        for (size_t done = 0; fd >= 0 && done < configtest->input_size;) {
                const ssize_t n = pwrite(fd, configtest->input + done,
                                         configtest->input_size - done, (off_t)done);

                if (n <= 0)
                        return -EIO;
                done += (size_t)n;
        }
        return fd;
}

/* The program inherits no terminal, descriptor, folder, key or signal handling from us. */
static bool configtest_let_go(const ConfigTest *configtest, int output, const sigset_t *mask)
{
        const struct rlimit none = { 0 }, tasks = { CONFIGTEST_TASKS, CONFIGTEST_TASKS };
        const int input = configtest->input ? configtest_make_input(configtest)
                                            : open("/dev/null", O_RDONLY | O_CLOEXEC);

        /* This call fails if the kernel has no keyrings, which is not an error. */
        (void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
        for (int number = 1; number < NSIG; number++)
                (void)signal(number, SIG_DFL);
        (void)umask(0027);
        return setsid() >= 0 && input >= 0 && dup2(input, STDIN_FILENO) >= 0 &&
               dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0 &&
               close_range(STDERR_FILENO + 1, ~0U, 0) == 0 && chdir("/") == 0 &&
               setrlimit(RLIMIT_CORE, &none) == 0 && setrlimit(RLIMIT_NPROC, &tasks) == 0 &&
               sigprocmask(SIG_SETMASK, mask, NULL) == 0;
}

static bool configtest_make_folder(const char *mount_options)
{
        return mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
               mount("tmpfs", CONFIGTEST_FOLDER, "tmpfs", MS_NOSUID | MS_NODEV, mount_options) == 0;
}

static bool configtest_become(const Identity *who)
{
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct caps[2] = { { 0 } };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
            setgroups((size_t)who->n_groups, who->groups) < 0 ||
            setresgid(who->gid, who->gid, who->gid) < 0 ||
            setresuid(who->uid, who->uid, who->uid) < 0)
                return false;
        /* The program keeps one capability, as in bellhop@.service. The kernel uses this capability
         * for nothing, but a process can't trace another process that has more capabilities. So the
         * customer's other processes can't trace the program. If we don't have the capability, the
         * test runs without it. */
        caps[0].permitted = caps[0].inheritable = 1U << CAP_NET_BROADCAST;
        if (syscall(SYS_capset, &header, caps) == 0)
                (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BROADCAST, 0, 0);
        /* If our process ends, the kernel kills the program. This setting comes last, because a
         * change of user resets it. */
        return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
}

_Noreturn static void configtest_exec(const ConfigTest *configtest, const char *mount_options,
                                      int output, const sigset_t *mask)
{
        if (configtest_let_go(configtest, output, mask) && configtest_make_folder(mount_options) &&
            configtest_become(configtest->who))
                (void)execve(configtest->argv[0], (char *const *)configtest->argv,
                             configtest->environment);
        (void)dprintf(STDERR_FILENO, "%s can't be run: %m\n", configtest->argv[0]);
        _exit(EXIT_FAILURE);
}

/* --- in our process --- */

typedef struct Watch {
        int process; /* a pidfd */
        int output;
        int signals;
        char *said;
        size_t n_said;
} Watch;

/* Returns a pidfd or a negative errno. */
static int configtest_start(const ConfigTest *configtest, int output, const sigset_t *mask)
{
        int pidfd = -EBADF;
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC |
                         (configtest->network ? 0 : CLONE_NEWNET),
                .pidfd = (uintptr_t)&pidfd,
                .exit_signal = SIGCHLD,
        };
        _cleanup_free_ char *mount_options =
                text_format("mode=0700,uid=%u,gid=%u,size=16m,nr_inodes=1000",
                            (unsigned)configtest->who->uid, (unsigned)configtest->who->gid);
        long pid;

        if (!mount_options)
                return -ENOMEM;
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid == 0)
                configtest_exec(configtest, mount_options, output, mask);
        return pid < 0 ? -errno : pidfd;
}

/* Reads some output. If the output becomes too long, drops its beginning, because the error is
 * usually the last message. Returns false if there is nothing more to read. */
static bool configtest_take_output(Watch *watch)
{
        ssize_t n;

        if (watch->n_said == CONFIGTEST_OUTPUT - 1) {
                watch->n_said /= 2;
                memmove(watch->said, watch->said + CONFIGTEST_OUTPUT - 1 - watch->n_said,
                        watch->n_said);
        }
        n = read(watch->output, watch->said + watch->n_said, CONFIGTEST_OUTPUT - 1 - watch->n_said);
        if (n > 0)
                watch->n_said += (size_t)n;
        return n > 0;
}

/* Returns 0 if the program has ended; CONFIGTEST_ENDLESS if it has not ended in time; or a negative
 * errno, which is -EINTR if we get a signal. */
static int configtest_wait(Watch *watch, unsigned seconds)
{
        const uint64_t end = clock_nsec(CLOCK_MONOTONIC) + seconds * NSEC_PER_SEC;
        struct pollfd fds[] = {
                { .fd = watch->process, .events = POLLIN },
                { .fd = watch->signals, .events = POLLIN },
                { .fd = watch->output, .events = POLLIN },
        };

        for (;;) {
                const uint64_t now = clock_nsec(CLOCK_MONOTONIC);

                if (now >= end)
                        return CONFIGTEST_ENDLESS;
                if (poll(fds, ELEMENTSOF(fds), (int)((end - now) / 1000000) + 1) < 0 &&
                    errno != EINTR)
                        return -errno;
                if (fds[0].revents)
                        return 0;
                if (fds[1].revents)
                        return -EINTR;
                if (fds[2].revents && !configtest_take_output(watch))
                        fds[2].fd = -1;
        }
}

/* Waits for the program, and kills it after CONFIGTEST_SECONDS or if we get a signal. */
static int configtest_watch(Watch *watch)
{
        siginfo_t info = { 0 };
        int r = configtest_wait(watch, CONFIGTEST_SECONDS);

        if (r != 0) {
                (void)pidfd_send_signal(watch->process, SIGKILL, NULL, 0);
                watch->signals = -1;
                (void)configtest_wait(watch, CONFIGTEST_KILL_SECONDS);
        }
        /* Now only processes that survive SIGKILL can still write output. They must not delay us,
         * so the number of reads is limited. */
        for (int i = 0; i < CONFIGTEST_READS && configtest_take_output(watch); i++)
                ;
        watch->said[watch->n_said] = 0;
        (void)waitid(P_PIDFD, (id_t)watch->process, &info, WEXITED | WNOHANG);
        if (r != 0)
                return r;
        if (info.si_code != CLD_EXITED)
                return CONFIGTEST_KILLED;
        return info.si_status == 0 ? CONFIGTEST_PASSED : CONFIGTEST_FAILED;
}

int configtest_run(const ConfigTest *configtest, char **ret_said)
{
        _cleanup_free_ char *said = calloc(1, CONFIGTEST_OUTPUT);
        _cleanup_close_ int process = -EBADF, signals = -EBADF, output = -EBADF, input = -EBADF;
        sigset_t ends, before;
        int pair[2], r;

        if (!said)
                return -ENOMEM;
        if (pipe2(pair, O_CLOEXEC) < 0)
                return -errno;
        output = pair[0];
        input = pair[1];
        sigemptyset(&ends);
        sigaddset(&ends, SIGINT);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGHUP);
        signals = signalfd(-1, &ends, SFD_CLOEXEC);
        if (signals < 0 || fcntl(output, F_SETFL, O_NONBLOCK) < 0 ||
            sigprocmask(SIG_BLOCK, &ends, &before) < 0)
                return -errno;
        r = process = configtest_start(configtest, input, &before);
        input = close_fd(input);
        if (process >= 0)
                r = configtest_watch(&(Watch){ process, output, signals, said, 0 });
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        if (r >= 0)
                *ret_said = take_ptr(said);
        return r;
}
