/* SPDX-License-Identifier: MIT */
/* Calls a function work() in a child process. The child writes into a pipe: first the number that
 * work() returned, then the text that it stored in *ret_text. */
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ctl/ask/as-customer.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define TEXT_BYTES_MAX (1024U * 1024)
#define TIMEOUT_NSEC   (60 * NSEC_PER_SEC)
#define END_MSEC       1000

static int as_customer_become(const Identity *customer)
{
        if (customer->uid == geteuid())
                return 0;
        if (setgroups((size_t)customer->n_groups, customer->groups) < 0 ||
            setresgid(customer->gid, customer->gid, customer->gid) < 0 ||
            setresuid(customer->uid, customer->uid, customer->uid) < 0 ||
            prctl(PR_SET_DUMPABLE, 0) < 0)
                return -errno;
        return 0;
}

/* Opens /dev/null as the child's standard input, output and error. The child may outlive us. If it
 * kept our output open, a program that reads our output from a pipe would wait for the child. */
static void as_customer_close_output(void)
{
        _cleanup_close_ int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        for (int i = STDIN_FILENO; fd > STDERR_FILENO && i <= STDERR_FILENO; i++)
                (void)dup2(fd, i);
}

_Noreturn static void as_customer_work(const Identity *customer, AsCustomerWork *work,
                                       const void *userdata, int fd)
{
        char *text = NULL;
        FILE *out = fdopen(fd, "w");
        int r;

        (void)setsid();
        as_customer_close_output();
        r = out ? as_customer_become(customer) : -errno;
        if (r == 0)
                r = work(userdata, &text);
        if (out && fwrite(&r, sizeof(r), 1, out) == 1 && fputs(text ? text : "", out) >= 0)
                (void)fflush(out);
        _exit(EXIT_SUCCESS);
}

/* Reads fd to its end. Fails if the input fills the buffer, or if the deadline passes. */
static int as_customer_read(int fd, uint64_t deadline_nsec, char *buffer, size_t size,
                            size_t *ret_size)
{
        *ret_size = 0;
        for (;;) {
                struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
                const uint64_t now = clock_nsec(CLOCK_MONOTONIC);
                ssize_t n;

                if (now >= deadline_nsec)
                        return -ETIMEDOUT;
                if (poll(&poll_fd, 1, (int)((deadline_nsec - now) / 1000000) + 1) <= 0)
                        continue;
                n = read(fd, buffer + *ret_size, size - *ret_size);
                if (n == 0)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0)
                        *ret_size += (size_t)n;
                if (*ret_size == size)
                        return -EFBIG;
        }
}

static int as_customer_finish(int fd, char **ret_text)
{
        const size_t size_max = sizeof(int) + TEXT_BYTES_MAX;
        _cleanup_free_ char *buffer = malloc(size_max + 1);
        size_t size;
        int r = buffer ? as_customer_read(fd, clock_nsec(CLOCK_MONOTONIC) + TIMEOUT_NSEC, buffer,
                                          size_max, &size)
                       : -ENOMEM;

        if (r < 0)
                return r;
        if (size < sizeof(r))
                return -ECHILD;
        memcpy(&r, buffer, sizeof(r));
        if (ret_text && size > sizeof(r)) {
                *ret_text = strndup(buffer + sizeof(r), size - sizeof(r));
                r = *ret_text ? r : -ENOMEM;
        }
        return r;
}

/* Kills the process, and waits at most a second for its end. A process that is waiting for a file
 * system ends only when the file system answers. A file system that the customer mounted (FUSE) may
 * never answer. So the process may outlive this function. */
static void as_customer_end(pid_t pid)
{
        _cleanup_close_ int fd = pidfd_open(pid, 0);
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

        (void)kill(pid, SIGKILL);
        if (fd >= 0)
                (void)poll(&poll_fd, 1, END_MSEC);
        (void)waitpid(pid, NULL, WNOHANG);
}

int as_customer_run(const Identity *customer, AsCustomerWork *work, const void *userdata,
                    char **ret_text)
{
        _cleanup_close_ int read_fd = -EBADF, write_fd = -EBADF;
        int fds[2], r;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        read_fd = fds[0];
        write_fd = fds[1];
        pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                as_customer_work(customer, work, userdata, write_fd);
        write_fd = close_fd(write_fd);
        r = as_customer_finish(read_fd, ret_text);
        as_customer_end(pid);
        return r;
}
