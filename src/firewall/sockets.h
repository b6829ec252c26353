/* SPDX-License-Identifier: MIT */
/* Limits the internet sockets of each customer. All programs that ask for any port share one range,
 * and without a free port no program can ask a name server. Does not log. */
#pragma once

#include <stdint.h>

/* max: for each user in bellhop.slice, at the same time; at most INT32_MAX. Lasts as long as this
 * process. Returns 0 or a negative errno. */
int sockets_limit(uint32_t max);
