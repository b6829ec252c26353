/* SPDX-License-Identifier: MIT */
/* Whether a request is for this instance: on an open connection a client may name any host (HTTP
 * keep-alive, HTTP/2 coalescing), and the router sees only the first bytes. Pure. */
#pragma once

#include "config/config.h"
#include "handoff/bellhop.h"

/* own: in config. name: the request's host as the server gives it. handoff: of its connection. */
bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff);
