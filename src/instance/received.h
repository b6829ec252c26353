/* SPDX-License-Identifier: MIT */
/* What a server does with a hand-off, whatever the server is. */
#pragma once

#include <stdbool.h>

#include "handoff/bellhop.h"

#define HTTP_PORT  80
#define HTTPS_PORT 443

/* What to say of a message that was refused, by enum bellhop_receive_result. */
extern const char *const received_refusals[BELLHOP_RECEIVE_SOCKET + 1];

/* What the router has not looked at is here, as DeferAcceptSec= has waited for it. */
bool received_speaks_tls(int fd, const struct bellhop_handoff *handoff);
