/* SPDX-License-Identifier: MIT */
/* Limits the internet sockets of each customer. All programs that let the kernel choose their port
 * share one range of ports. If a customer used all these ports, no other program could ask a name
 * server. Does not log. */
#pragma once

#include <stdint.h>

/* max: the maximum number of open sockets for each user in bellhop.slice; at most INT32_MAX. The
 * limit lasts as long as this process. Returns 0 or a negative errno. */
int sockets_limit(uint32_t max);
