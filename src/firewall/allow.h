/* SPDX-License-Identifier: MIT */
/* The name servers as an exception of IPAddressDeny=, which knows no ports: the rules do. */
#pragma once

#include "firewall/resolvers.h"

/* Sets IPAddressAllow= of bellhop.slice until the machine reboots, unless it is so already: systemd
 * looks at every instance then. Returns 0 or a negative errno. */
int allow_resolvers(const Resolvers *resolvers);
