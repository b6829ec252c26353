/* SPDX-License-Identifier: MIT */
/* How many sockets of the internet each customer has. The kernel has one range of ports for all
 * programs that ask for any, and without a free one nobody can ask a name server. Does not log. */
#pragma once

#include <stdint.h>

/* max: of each user in bellhop.slice, at a time; at most INT32_MAX. Lasts as long as this process.
 * Returns 0 or a negative errno. */
int sockets_limit(uint32_t max);
