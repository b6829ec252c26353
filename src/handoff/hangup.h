/* SPDX-License-Identifier: MIT */
/* If an instance shuts down its hand-off socket for reading, the socket remains readable for ever,
 * although there is nothing to read (unix(7), poll(2)). systemd polls the socket while the instance
 * is not running. While systemd 252 tries to stop such a socket, it runs no job of any unit. If a
 * socket is shut down for both directions, poll(2) reports a hang-up instead, and only the unit of
 * this socket fails. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

/* If a socket is shut down for reading, also shuts it down for writing. Returns whether the socket
 * is shut down for reading. */
static inline bool hangup_complete(int fd)
{
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };

        if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLRDHUP))
                return false;
        (void)shutdown(fd, SHUT_RDWR);
        return true;
}
