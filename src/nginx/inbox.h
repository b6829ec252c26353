/* SPDX-License-Identifier: MIT */
/* Passes connections from the hand-off socket to nginx, as if nginx had accepted them from
 * listening sockets. */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>

#include "config/config.h"
#include "handoff/bellhop.h"

/* Returns the hand-off of a connection, or of the connection to which an HTTP/2 stream belongs.
 * Returns NULL if nginx itself has made the connection. */
const struct bellhop_handoff *inbox_handoff_of(const ngx_connection_t *connection);

/* Returns all instances, and the index of this instance. Valid after nginx has read its
 * configuration. */
const Config *inbox_config(uint32_t *ret_own);
