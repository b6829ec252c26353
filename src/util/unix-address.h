/* SPDX-License-Identifier: MIT */
/* Addresses of unix sockets, unix(7). */
#pragma once

#include <stddef.h>
#include <sys/un.h>

#include "util/cleanup.h"

/* Makes the address of a socket file. Returns the size of the address, or -ENAMETOOLONG. */
static inline int unix_address_fill(const char *path, struct sockaddr_un *ret)
{
        const size_t size = strlen(path);

        *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (size >= sizeof(ret->sun_path))
                return -ENAMETOOLONG;
        memcpy(ret->sun_path, path, size);
        return (int)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Makes the address from the value of $NOTIFY_SOCKET: see sd_notify(3). path is the path of a
 * socket file, or "@" and the name of an abstract socket. */
static inline int unix_address_fill_notify(const char *path, struct sockaddr_un *ret)
{
        const int size = unix_address_fill(path, ret);

        if (*path == '@')
                *ret->sun_path = 0;
        return size;
}
