/* SPDX-License-Identifier: MIT */
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "util/peer.h"

void peer_name(int fd, char ret[static PEER_NAME_MAX])
{
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);
        char host[48], port[8];

        if (getpeername(fd, (struct sockaddr *)&sa, &size) < 0 ||
            getnameinfo((struct sockaddr *)&sa, size, host, sizeof(host), port, sizeof(port),
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
                snprintf(ret, PEER_NAME_MAX, "unknown");
        else
                snprintf(ret, PEER_NAME_MAX, sa.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host,
                         port);
}
