/* SPDX-License-Identifier: MIT */
/* Whether a request is for this instance: on an open connection, a client can name any host (HTTP
 * keep-alive, HTTP/2 coalescing), and the router sees only the first bytes. Pure. */
#pragma once

#include "config/config.h"
#include "handoff/bellhop.h"

/* own: the instance's index in config. name: the request's host, from the server. handoff: that of
 * the request's connection. */
bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff);

/* Returns the host of Canonical= if name is another exact host of the instance, and path is not
 * that of an ACME challenge; otherwise NULL. path may have a query. */
const char *admit_canonical(const Config *config, uint32_t own, const char *name, const char *path);

/* The path of ACME challenges: RFC 8555 section 8.3. */
#define CHALLENGES "/.well-known/acme-challenge/"
