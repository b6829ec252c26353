/* SPDX-License-Identifier: MIT */
/* If an instance shuts down its hand-off socket for reading, the socket remains readable for ever,
 * with nothing to read (unix(7), poll(2)). systemd polls the socket while the instance is down.
 * While systemd 252 tries to stop such a socket, it runs no job of any unit. If the socket is shut
 * down for both directions, it hangs up, and only its unit fails. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Shuts down a socket for writing too if it is shut down for reading. Returns whether it is shut
 * down for reading. */
static inline bool hangup_complete(int fd)
{
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };

        if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLRDHUP))
                return false;
        (void)shutdown(fd, SHUT_RDWR);
        return true;
}
