/* SPDX-License-Identifier: MIT */
/* Restricts the access of the customer's programs, and of others on the machine. */
#pragma once

#include "config/config.h"
#include "instance/context.h"

/* Reads the instance file, notes in context whether it is suspended, and sets up the fence around
 * this process and everything that it starts later. A later call can only extend the fence. Logs;
 * returns 0 or a negative errno. */
int confine(Context *context, Instance *ret);

/* Logs if everybody on the machine can read the private key; the instance still serves. */
void confine_warn_key(const Context *context);
