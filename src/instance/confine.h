/* SPDX-License-Identifier: MIT */
/* Limits what the customer's programs can do, and warns if other users can read the instance's
 * private key. */
#pragma once

#include "config/config.h"
#include "instance/context.h"

/* Reads the instance file into *ret. Sets context->server and context->is_suspended. Sets up the
 * fence (fence/fence.h) around this process and all processes that it starts later. A later call
 * can add restrictions, but not remove any. Logs errors. Returns 0 or a negative errno. */
int confine(Context *context, Instance *ret);

/* Logs a warning if all users of the machine can read the private key. */
void confine_warn_key(const Context *context);
