/* SPDX-License-Identifier: MIT */
#include <sys/socket.h>

#include "instance/received.h"

#define TLS_HANDSHAKE 0x16 /* RFC 8446 section 5.1 */

const char *const received_refusals[] = {
        [BELLHOP_RECEIVE_FOREIGN] = "its sender is not the router's user",
        [BELLHOP_RECEIVE_INVALID] = "it does not have protocol version 1; router and module must "
                                    "come from the same release",
        [BELLHOP_RECEIVE_SOCKET] = "it does not contain exactly one connected TCP socket",
};

bool received_speaks_tls(int fd, const struct bellhop_handoff *handoff)
{
        uint8_t first = 0;

        if (handoff->protocol != BELLHOP_PROTOCOL_UNKNOWN)
                return handoff->protocol == BELLHOP_PROTOCOL_TLS;
        return recv(fd, &first, sizeof(first), MSG_PEEK | MSG_DONTWAIT) == sizeof(first) &&
               first == TLS_HANDSHAKE;
}
