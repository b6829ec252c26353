/* SPDX-License-Identifier: MIT */
/* Exempts the name servers from IPAddressDeny=, which knows no ports; the rules do. */
#pragma once

#include "firewall/resolvers.h"

/* Sets IPAddressAllow= of bellhop.slice until the machine reboots, unless it has that value:
 * systemd looks at every instance at a change. Returns 0 or a negative errno. */
int allow_resolvers(const Resolvers *resolvers);
