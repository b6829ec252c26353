/* SPDX-License-Identifier: MIT */
/* nginx can't take the name and the hosts of an instance from variables. So this writes the part of
 * its configuration that depends on the name and the hosts. This part includes the files in
 * CONFIG/nginx. */
#pragma once

#include "instance/context.h"

/* number: that of the server, for files that two servers must not share. Returns a descriptor of
 * the configuration, or a negative errno. */
int nginx_conf_make(const Context *context, unsigned number);
