/* SPDX-License-Identifier: MIT */
/* A hand-off socket that an instance has shut for reading stays readable for ever with nothing to
 * read (unix(7), poll(2)). systemd polls it while the instance is down, and 252 runs no job of any
 * unit while it is to stop such a socket. Shut for both ways, it hangs up: its unit alone fails. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>

/* Shuts a socket for writing too if it is shut for reading. Returns whether it is. */
static inline bool hangup_complete(int fd)
{
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };

        if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLRDHUP))
                return false;
        (void)shutdown(fd, SHUT_RDWR);
        return true;
}
