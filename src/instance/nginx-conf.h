/* SPDX-License-Identifier: MIT */
/* nginx can't take the name and the hosts of an instance from variables. So bellhop-instance writes
 * the part of nginx's configuration that depends on the name and the hosts. It includes the other
 * parts: the files in the folder config_dir/nginx, and the customer's snippets. */
#pragma once

#include "instance/context.h"

/* number: the number of the server. It is part of the name of nginx's PID file, because two servers
 * of an instance may run at the same time. Returns a descriptor of the configuration, or a negative
 * errno. */
int nginx_conf_make(const Context *context, unsigned number);
