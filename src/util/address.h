/* SPDX-License-Identifier: MIT */
/* Internet addresses in one form for both families. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "util/span.h"

/* IPv4 as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2); port in host order, 0 for every port. */
typedef struct Address {
        struct in6_addr ip;
        uint16_t port;
} Address;

struct in6_addr address_map_ipv4(struct in_addr ip);

/* False if the socket address has another family. */
bool address_from_sockaddr(const struct sockaddr_storage *sa, Address *ret);

/* The two ends of a connection. False: it has another family, or its peer has left. */
bool address_local(int fd, Address *ret);
bool address_peer(int fd, Address *ret);

/* Parses an address without port, in the form of inet_pton(3). */
bool address_parse_ip(const char *text, bool v4, struct in6_addr *ret);

/* "192.0.2.7", "192.0.2.7:443", "2001:db8::7", "[2001:db8::7]:443". False for anything else, and
 * for an address that means "any": as a route, it would get every connection. */
bool address_parse(Span in, Address *ret);

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/* Writes an address in the same form. */
void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX]);

/* The first bits of an address; the rest is 0. */
struct in6_addr address_prefix(const struct in6_addr *ip, unsigned bits);

#define ADDRESS_IPV4_MAPPED_BITS 96
