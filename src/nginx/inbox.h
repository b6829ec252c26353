/* SPDX-License-Identifier: MIT */
/* The source of nginx's connections: the hand-off socket, instead of listening sockets. */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>

#include "config/config.h"
#include "handoff/bellhop.h"

/* The hand-off of a connection, or of the connection of an HTTP/2 stream. NULL: nginx itself has
 * made the connection. */
const struct bellhop_handoff *inbox_handoff_of(const ngx_connection_t *connection);

/* All instances, and the number of this one. Valid after nginx has read its configuration. */
const Config *inbox_config(uint32_t *ret_own);
