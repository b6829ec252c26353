/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "httpd/lines.h"
#include "instance/lines.h"

/* In memory that all processes of the server share, as a process that ends can't report its
 * losses. */
static struct LinesShared {
        atomic_bool hang; /* bellhop-log hangs: no process waits */
        atomic_uint_fast64_t lost;
} * shared;

int lines_init(void)
{
        void *memory = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return -errno;
        shared = memory;
        return 0;
}

LinesResult lines_send(int fd, LinesKind kind, int level, const char *text, size_t size)
{
        const bool waits = !atomic_load(&shared->hang);
        char priority[16];
        const int n = snprintf(priority, sizeof(priority), "<%d>", (int)kind * 8 + level);
        struct iovec iov[] = {
                { priority, (size_t)n },
                { (char *)text, size < LINES_BYTES_MAX ? size : LINES_BYTES_MAX },
        };
        const struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
        ssize_t sent;

        /* SO_SNDTIMEO limits the wait. */
        do
                sent = sendmsg(fd, &message, MSG_NOSIGNAL | (waits ? 0 : MSG_DONTWAIT));
        while (sent < 0 && errno == EINTR);
        if (sent >= 0) {
                atomic_store(&shared->hang, false);
                return LINES_SENT;
        }
        if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM)
                return LINES_GONE;
        atomic_store(&shared->hang, true);
        atomic_fetch_add(&shared->lost, 1);
        return LINES_LOST;
}

uint64_t lines_take_lost(void)
{
        return atomic_exchange(&shared->lost, 0);
}
