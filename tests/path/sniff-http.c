/* SPDX-License-Identifier: MIT */
/*
 * What the router makes of a request, for tests in Python. In: a size of 4 bytes in network byte
 * order, and so many bytes of input; again and again. Out: a line for each, of the outcome and the
 * host as it is looked up.
 */
#include <stdio.h>
#include <stdlib.h>

#include "route/hostname.h"
#include "sniff/sniff.h"

#define INPUT_SIZE_MAX (1024 * 1024)

static void answer(Span in)
{
        const Sniff s = sniff(in);
        Hostname host;

        switch (s.outcome) {
        case SNIFF_MORE:
                puts("more");
                return;
        case SNIFF_MALFORMED:
                puts("malformed");
                return;
        case SNIFF_NO_HOST:
                puts(s.host_required ? "malformed" : "none");
                return;
        case SNIFF_HOST:
                break;
        }
        switch (hostname_parse_with_port((Span){ .data = s.host, .size = s.host_length }, &host)) {
        case HOSTNAME_OK:
                printf("host %s\n", host.name);
                return;
        case HOSTNAME_ADDRESS:
                printf("address %.*s\n", (int)s.host_length, (const char *)s.host);
                return;
        case HOSTNAME_EMPTY:
        case HOSTNAME_INVALID:
                puts("malformed");
                return;
        }
}

int main(void)
{
        static uint8_t data[INPUT_SIZE_MAX];
        uint8_t size_bytes[4];

        while (fread(size_bytes, 1, sizeof(size_bytes), stdin) == sizeof(size_bytes)) {
                const size_t size = (size_t)size_bytes[0] << 24 | (size_t)size_bytes[1] << 16 |
                                    (size_t)size_bytes[2] << 8 | size_bytes[3];

                if (size > sizeof(data) || fread(data, 1, size, stdin) != size)
                        return EXIT_FAILURE;
                answer((Span){ .data = data, .size = size });
                (void)fflush(stdout);
        }
        return EXIT_SUCCESS;
}
