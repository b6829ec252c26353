/* SPDX-License-Identifier: MIT */
/* Handling of a hand-off that is common to all servers. */
#pragma once

#include <stdbool.h>

#include "handoff/bellhop.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* The reason of a refused message, by enum bellhop_receive_result. */
extern const char *const received_refusals[BELLHOP_RECEIVE_SOCKET + 1];

/* Whether the client speaks TLS. The router has not read its first bytes, but they have arrived,
 * because of DeferAcceptSec=. */
bool received_speaks_tls(int fd, const struct bellhop_handoff *handoff);
