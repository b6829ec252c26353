/* SPDX-License-Identifier: MIT */
/* Internet addresses: one type for IPv4 and IPv6. */
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include "util/span.h"

/* An IPv4 address is stored as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2). port is in host byte
 * order; 0 means every port. */
typedef struct Address {
        struct in6_addr ip;
        uint16_t port;
} Address;

struct in6_addr address_map_ipv4(struct in_addr ip);

/* Returns false if the socket address is neither IPv4 nor IPv6. */
bool address_from_sockaddr(const struct sockaddr_storage *sa, Address *ret);

/* Find the address of our own end of a connection, or of the other end (the peer). Return false if
 * the connection is neither IPv4 nor IPv6. address_peer() also returns false if the connection has
 * ended. */
bool address_local(int fd, Address *ret);
bool address_peer(int fd, Address *ret);

/* Parses an IPv4 address if v4 is true, otherwise an IPv6 address, in the form of inet_pton(3). */
bool address_parse_ip(const char *text, bool v4, struct in6_addr *ret);

/* Parses "192.0.2.7", "192.0.2.7:443", "2001:db8::7" and "[2001:db8::7]:443". Returns false for any
 * other text, and for 0.0.0.0 and "::": an instance with one of them in Address= would get every
 * connection. */
bool address_parse(Span in, Address *ret);

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + sizeof("[]:65535"))

/* Writes an address in the form that address_parse() reads. */
void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX]);

/* Returns the prefix of an address: its first bits, with all later bits set to 0. */
struct in6_addr address_prefix(const struct in6_addr *ip, unsigned bits);

#define ADDRESS_IPV4_MAPPED_BITS 96
