/* SPDX-License-Identifier: MIT */
/* Finds the name servers in the text of /etc/resolv.conf, see resolv.conf(5). */
#pragma once

#include <netinet/in.h>

#include "util/span.h"

/* The C library uses at most three servers. */
#define RESOLVERS_MAX 3

typedef struct Resolvers {
        struct in6_addr ips[RESOLVERS_MAX]; /* IPv4 as IPv4-mapped IPv6 */
        size_t n;
} Resolvers;

/* Ignores words that are not addresses, as the C library does. If there is no address, the result
 * is 127.0.0.1, which the C library asks in this case. Pure. */
void resolvers_parse(Span text, Resolvers *ret);
