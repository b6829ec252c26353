/* SPDX-License-Identifier: MIT */
/* Makes the canonical form in which a host is compared, stored and logged: lower case, no trailing
 * dot, no port, only ASCII (international names as "xn--..."). A label has 1 to 63 letters, digits,
 * '-' and '_', and a host at most 253 bytes (RFC 1123 section 2.1, and the underscore, which
 * browsers and Apache accept). An address is not a host. Pure. */
#pragma once

#include "util/span.h"

#define HOSTNAME_MAX 253

typedef struct Hostname {
        char name[HOSTNAME_MAX + 1]; /* canonical, NUL-terminated */
        size_t length;
} Hostname;

typedef enum HostnameResult {
        HOSTNAME_OK,
        HOSTNAME_EMPTY,   /* empty, or only a port */
        HOSTNAME_ADDRESS, /* an IP literal */
        HOSTNAME_INVALID,
} HostnameResult;

/* Parses a host without a port, as in a TLS server name or in the configuration. */
HostnameResult hostname_parse(Span in, Hostname *ret);

/* Parses a host that may have a port, as in an HTTP Host field or in the authority of a URL. Checks
 * and removes the port. */
HostnameResult hostname_parse_with_port(Span in, Hostname *ret);
