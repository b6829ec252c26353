/* SPDX-License-Identifier: MIT */
/* Decides whether a request is for this instance. The instance must decide this for each request,
 * because the router sees only the first bytes of a connection, and later requests can name any
 * host (HTTP keep-alive, HTTP/2 connection coalescing). Pure functions. */
#pragma once

#include "config/config.h"
#include "handoff/bellhop.h"

/* Returns whether the request is for this instance. own: the instance's index in config. name: the
 * host of the request. handoff: the hand-off of the request's connection. */
bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff);

/* Returns whether the connection must end after its first request. Over plain HTTP, the router has
 * applied Http= only to that request. */
bool admit_has_one_request(const Config *config, uint32_t own,
                           const struct bellhop_handoff *handoff);

/* Returns the host of Canonical=, to which the request must be redirected, or NULL if it must not
 * be redirected. A request is redirected if name is another host of the instance (but not if name
 * only matches a wildcard), and path is not the path of an ACME challenge. path may include a
 * query. */
const char *admit_canonical(const Config *config, uint32_t own, const char *name, const char *path);
