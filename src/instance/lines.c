/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "handoff/bellhop.h"
#include "instance/lines.h"
#include "util/cleanup.h"

/* The size of the socket's send buffer, which has room for the longest line. The kernel limits this
 * size to net.core.wmem_max (208 KiB), and then doubles it. */
#define LINES_SEND_BYTES (2 * LINES_BYTES_MAX)

int lines_connect(int sockets_fd)
{
        const struct timeval wait = { .tv_sec = LINES_WAIT_SEC };
        _cleanup_close_ int fd = -EBADF;
        char path[64];

        if (sockets_fd < 0)
                return -EBADF;
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" LINES_SOCKET, sockets_fd);
        fd = bellhop_connect(path);
        if (fd < 0)
                return fd;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ LINES_SEND_BYTES }, sizeof(int));
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0 ||
            fcntl(fd, F_SETFL, 0) < 0)
                return -errno;
        return take_fd(fd);
}
