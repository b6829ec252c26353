/* SPDX-License-Identifier: MIT */
/* Exempts the name servers from IPAddressDeny=, which can't distinguish ports. The rules in the
 * kernel can. */
#pragma once

#include "firewall/resolvers.h"

/* Sets IPAddressAllow= of bellhop.slice until the next boot, unless it already has that value:
 * after each change, systemd checks every instance. Returns 0 or a negative errno. */
int allow_resolvers(const Resolvers *resolvers);
