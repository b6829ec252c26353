/* SPDX-License-Identifier: MIT */
/* The canonical form in which a host is compared, stored and logged: lower case, no trailing dot,
 * no port, A-labels only. Letters, digits, '-' and '_' (RFC 1123 section 2.1, and the underscore
 * that browsers and Apache accept), labels of 1 to 63 bytes, 253 in all. No addresses. Pure. */
#pragma once

#include "util/span.h"

#define HOSTNAME_MAX 253

typedef struct Hostname {
        char name[HOSTNAME_MAX + 1]; /* canonical, NUL-terminated */
        size_t length;
} Hostname;

typedef enum HostnameResult {
        HOSTNAME_OK,
        HOSTNAME_EMPTY,   /* no byte, or only a port */
        HOSTNAME_ADDRESS, /* an IP literal */
        HOSTNAME_INVALID,
} HostnameResult;

/* A host as in a TLS server name or in configuration, without port. */
HostnameResult hostname_parse(Span in, Hostname *ret);

/* A host as in an HTTP Host field or an authority: an optional port is checked and removed. */
HostnameResult hostname_parse_with_port(Span in, Hostname *ret);
