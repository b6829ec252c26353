/* SPDX-License-Identifier: MIT */
/* Keeps the customer's programs, and others on the machine, from what they should not reach. */
#pragma once

#include "config/config.h"
#include "instance/context.h"

/* Reads the instance file, notes in context whether it is suspended, and raises the fence around
 * this process and all that it starts from then on. A later call can only add to the fence. Logs;
 * returns 0 or a negative errno. */
int confine(Context *context, Instance *ret);

/* Logs if everybody on the machine can read the private key; the instance serves all the same. */
void confine_warn_key(const Context *context);
