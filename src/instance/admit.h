/* SPDX-License-Identifier: MIT */
/* Decides whether a request is for this instance. The router sees only the first bytes of a
 * connection, and later requests can name any host (HTTP keep-alive, HTTP/2 coalescing). Pure. */
#pragma once

#include "config/config.h"
#include "handoff/bellhop.h"

/* Returns whether the request is for this instance. own: the instance's index in config. name: the
 * host of the request. handoff: the hand-off of the request's connection. */
bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff);

/* Returns the host of Canonical= if name is another exact host of the instance, and path is not the
 * path of an ACME challenge; otherwise NULL. path may include a query. */
const char *admit_canonical(const Config *config, uint32_t own, const char *name, const char *path);

/* The path of ACME challenges: RFC 8555 section 8.3. */
#define CHALLENGES "/.well-known/acme-challenge/"
