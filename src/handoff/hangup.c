/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <sys/socket.h>

#include "handoff/hangup.h"

bool hangup_complete(int fd)
{
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };

        if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLRDHUP))
                return false;
        (void)shutdown(fd, SHUT_RDWR);
        return true;
}
