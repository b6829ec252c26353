/* SPDX-License-Identifier: MIT */
/* nginx can't take the name and the hosts of an instance from variables. This writes the part of
 * its configuration that depends on them; that part includes the files in CONFIG/nginx. */
#pragma once

#include "instance/context.h"

/* number: of the server, for files that two servers must not share. Returns a descriptor of it, or
 * a negative errno. */
int nginx_conf_make(const Context *context, unsigned number);
