/* SPDX-License-Identifier: MIT */
/* The other side of a reload: asks a running router for one, and waits until it is over. */
#pragma once

#include <sys/types.h>

#include "router/reload.h"

/* What it needs to know is in $RUNTIME_DIRECTORY. Returns 0 and *ret (and *ret_text, to be freed,
 * what the router says about it), -ESRCH when the router has gone, -ETIMEDOUT, or another negative
 * errno. */
int reload_ask(pid_t router, ReloadResult *ret, char **ret_text);
