/* SPDX-License-Identifier: MIT */
/* Handling of a hand-off that is common to all servers. */
#pragma once

#include <stdbool.h>

#include "handoff/bellhop.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* Why a message is refused; the index is an enum bellhop_receive_result. */
extern const char *const received_refusals[BELLHOP_RECEIVE_SOCKET + 1];

/* Whether the client speaks TLS. If the router has not examined the first bytes, peeks at them:
 * they have arrived, because of DeferAcceptSec=. */
bool received_speaks_tls(int fd, const struct bellhop_handoff *handoff);
