/* SPDX-License-Identifier: MIT */
/*
 * Owns the last moments of a connection. Without reading what the client sent, close(2) would send
 * a reset, which can destroy our reply on its way (RFC 9112 section 9.6). Never waits.
 */
#include <sys/socket.h>

#include "refuse/parting.h"
#include "util/address.h"
#include "util/cleanup.h"

/* How much a refused client may still send before it is cut off. */
#define PARTING_BYTES_MAX (256 * 1024)

#define PORT_HTTPS 443

static bool is_https_port(int fd)
{
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);
        Address local;

        return getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
               address_from_sockaddr(&sa, &local) && local.port == PORT_HTTPS;
}

/* A client that waits silently on the port of HTTPS would take an HTTP error for a broken TLS
 * handshake. */
bool parting_has_words(int fd, enum bellhop_protocol protocol, RefuseReason reason)
{
        return protocol != BELLHOP_PROTOCOL_UNKNOWN || reason == REFUSE_MALFORMED ||
               !is_https_port(fd);
}

void parting_say(int fd, const char *reply, size_t size)
{
        size_t n_discarded = 0;

        (void)parting_discard(fd, &n_discarded);
        if (size > 0)
                (void)send(fd, reply, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
}

bool parting_discard(int fd, size_t *n_discarded)
{
        while (*n_discarded < PARTING_BYTES_MAX) {
                const ssize_t n =
                        recv(fd, NULL, PARTING_BYTES_MAX - *n_discarded, MSG_TRUNC | MSG_DONTWAIT);

                if (n > 0)
                        *n_discarded += (size_t)n;
                else
                        return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        return false;
}
