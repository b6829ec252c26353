/* SPDX-License-Identifier: MIT */
/* Fuzz target: the parser of PROXY headers. Decisions are final, and a header that was found is
 * found again when it is written anew from what was understood. */
#include "sniff/sniff.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

/* The entry point that libFuzzer, AFL and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

/* Parses a copy that ends where the prefix ends, so that the sanitizer sees a step beyond. */
static SniffProxy parse_copy(const void *data, size_t size)
{
        uint8_t *copy = malloc(size);
        SniffProxy proxy;

        require(size == 0 || copy != NULL);
        if (size > 0)
                memcpy(copy, data, size);
        proxy = sniff_proxy((Span){ .data = copy, .size = size });
        free(copy);
        return proxy;
}

static bool is_complete(const SniffProxy *proxy)
{
        return proxy->outcome == SNIFF_PROXY_SOURCE || proxy->outcome == SNIFF_PROXY_NO_SOURCE;
}

static bool same_address(const Address *a, const Address *b)
{
        return IN6_ARE_ADDR_EQUAL(&a->ip, &b->ip) && a->port == b->port;
}

static bool proxy_equals(const SniffProxy *a, const SniffProxy *b)
{
        return a->outcome == b->outcome && a->size == b->size &&
               same_address(&a->source, &b->source);
}

static void check_prefixes(const uint8_t *data, size_t size)
{
        const size_t step = 1 + size / 512;
        SniffProxy last = { .outcome = SNIFF_PROXY_MORE };
        size_t need = 0;

        for (size_t n = 0; n <= size; n = n < size && n + step > size ? size : n + step) {
                const SniffProxy proxy = parse_copy(data, n);

                if (last.outcome != SNIFF_PROXY_MORE)
                        require(proxy_equals(&proxy, &last));
                if (is_complete(&proxy))
                        require(proxy.size <= n && proxy.size >= need);
                if (proxy.outcome == SNIFF_PROXY_MORE) {
                        require(proxy.need_bytes > n);
                        if (proxy.need_bytes > need)
                                need = proxy.need_bytes;
                }
                last = proxy;
        }
}

static void check_round_trip(const SniffProxy *proxy)
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&proxy->source.ip);
        char ip[INET6_ADDRSTRLEN], line[128];
        SniffProxy again;

        require(inet_ntop(v4 ? AF_INET : AF_INET6,
                          v4 ? &proxy->source.ip.s6_addr[12] : proxy->source.ip.s6_addr, ip,
                          sizeof(ip)) != NULL);
        snprintf(line, sizeof(line), "PROXY TCP%c %s %s %u 0\r\n", v4 ? '4' : '6', ip, ip,
                 proxy->source.port);
        again = parse_copy(line, strlen(line));
        require(again.outcome == SNIFF_PROXY_SOURCE && again.size == strlen(line));
        require(same_address(&again.source, &proxy->source));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const SniffProxy proxy = parse_copy(data, size);

        check_prefixes(data, size);
        if (is_complete(&proxy) && data[0] == 'P')
                require(proxy.size <= 107 && memcmp(data + proxy.size - 2, "\r\n", 2) == 0);
        if (proxy.outcome == SNIFF_PROXY_SOURCE)
                check_round_trip(&proxy);
        return 0;
}
