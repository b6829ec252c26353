/* SPDX-License-Identifier: MIT */
/*
 * Whether a request is for this instance. A client may name any host on a connection that is open
 * (HTTP keep-alive, HTTP/2 coalescing), and only the instance sees that: the router looked at the
 * first bytes only. Pure.
 */
#pragma once

#include "config/config.h"
#include "handoff/bellhop.h"

/* own: the instance in config. name: the host of the request, as the server gives it. handoff: how
 * its connection got here. */
bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff);
