/* SPDX-License-Identifier: MIT */
/* Where connections of nginx come from: the hand-off socket, in place of sockets that listen. */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>

#include "config/config.h"
#include "handoff/bellhop.h"

/* How a connection was handed off, or that of an HTTP/2 stream. NULL: nginx has made it itself. */
const struct bellhop_handoff *inbox_handoff_of(const ngx_connection_t *connection);

/* All instances, and which of them is this one. Valid once nginx has read its configuration. */
const Config *inbox_config(uint32_t *ret_own);
