/* SPDX-License-Identifier: MIT */
/* The configuration of nginx, which has no variables for it: what depends on the instance. All else
 * is in files that it includes. */
#pragma once

#include "instance/context.h"

/* number: of the server, for files that two may not share. Returns a descriptor of it, or a
 * negative errno. */
int nginx_conf_make(const Context *context, unsigned number);
