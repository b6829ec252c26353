/* SPDX-License-Identifier: MIT */
/* If the customer's code shuts down the hand-off socket for reading but not for writing, poll(2)
 * always reports the socket as readable, although there is nothing to read. When systemd 252 stops
 * the unit of such a socket, it hangs, and runs no job of any unit. If the socket is shut down for
 * both directions, systemd's poll(2) gets a hang-up instead, and only this socket unit fails. */
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
