/* SPDX-License-Identifier: MIT */
/* Internet addresses: one type for IPv4 and IPv6. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "util/span.h"

/* An IPv4 address is stored as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). port is in host order;
 * 0 means every port. */
typedef struct Address {
        struct in6_addr ip;
        uint16_t port;
} Address;

struct in6_addr address_map_ipv4(struct in_addr ip);

/* Returns false if the socket address has another family. */
bool address_from_sockaddr(const struct sockaddr_storage *sa, Address *ret);

/* Find the addresses of the two ends of a connection. Return false if the connection has another
 * family, or if its peer has closed it. */
bool address_local(int fd, Address *ret);
bool address_peer(int fd, Address *ret);

/* Parses an address without port, in the form of inet_pton(3). */
bool address_parse_ip(const char *text, bool v4, struct in6_addr *ret);

/* Parses "192.0.2.7", "192.0.2.7:443", "2001:db8::7" and "[2001:db8::7]:443". Returns false for any
 * other text, and for 0.0.0.0 and "::", because such a route would get every connection. */
bool address_parse(Span in, Address *ret);

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/* Writes an address in the form that address_parse() reads. */
void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX]);

/* Returns the first bits of an address; all other bits are 0. */
struct in6_addr address_prefix(const struct in6_addr *ip, unsigned bits);

#define ADDRESS_IPV4_MAPPED_BITS 96
