/* SPDX-License-Identifier: MIT */
/* Fuzz target: /etc/resolv.conf. There is always a server, and no more than there is room for; what
 * was read is read again as the same. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "firewall/resolvers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char text[RESOLVERS_MAX * (INET6_ADDRSTRLEN + sizeof("nameserver \n"))] = "";
        Resolvers read, again;

        resolvers_parse((Span){ .data = data, .size = size }, &read);
        if (read.n == 0 || read.n > RESOLVERS_MAX)
                abort();
        for (size_t i = 0; i < read.n; i++) {
                char address[INET6_ADDRSTRLEN];

                (void)inet_ntop(AF_INET6, &read.ips[i], address, sizeof(address));
                (void)sprintf(text + strlen(text), "nameserver %s\n", address);
        }
        resolvers_parse(span_from_string(text), &again);
        if (again.n != read.n || memcmp(again.ips, read.ips, read.n * sizeof(read.ips[0])) != 0)
                abort();
        return 0;
}
