/* SPDX-License-Identifier: MIT */
/* Owns nothing: what is shut stays so, whoever has done it. */
#include <poll.h>
#include <sys/socket.h>

#include "util/shut.h"

bool shut_whole(int fd)
{
        struct pollfd end = { .fd = fd, .events = POLLRDHUP };

        if (poll(&end, 1, 0) <= 0 || !(end.revents & POLLRDHUP))
                return false;
        (void)shutdown(fd, SHUT_RDWR);
        return true;
}
