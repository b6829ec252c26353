/* SPDX-License-Identifier: MIT */
/* What the router answers for a site without waking it: Http= of bellhop.instance(5). Pure. */
#pragma once

#include "config/config.h"
#include "sniff/sniff.h"

typedef enum DoormanVerdict {
        DOORMAN_PASS,     /* the instance shall answer */
        DOORMAN_REDIRECT, /* the same, over HTTPS */
        DOORMAN_REFUSE,
        DOORMAN_TOO_LONG, /* a redirect whose reply would not fit */
} DoormanVerdict;

/* request: a complete head with a host. TLS always passes. */
DoormanVerdict doorman_ask(HttpPolicy policy, const Sniff *request);

#define DOORMAN_REPLY_MAX 8192

/* The bytes to send for DOORMAN_REDIRECT; host is canonical. */
size_t doorman_redirect(const char *host, const Sniff *request, char ret[static DOORMAN_REPLY_MAX]);
