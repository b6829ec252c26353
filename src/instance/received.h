/* SPDX-License-Identifier: MIT */
/* Functions that the modules of all servers use for received hand-offs. */
#pragma once

#include <stdbool.h>

#include "handoff/bellhop.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* The reasons to refuse a hand-off; the index is an enum bellhop_receive_result. */
extern const char *const received_refusals[BELLHOP_RECEIVE_SOCKET + 1];

/* Whether the client speaks TLS. If the router has not examined the first bytes, this function
 * peeks at them. With DeferAcceptSec= in the router's socket unit, they have already arrived. */
bool received_speaks_tls(int fd, const struct bellhop_handoff *handoff);
