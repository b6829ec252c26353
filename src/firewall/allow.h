/* SPDX-License-Identifier: MIT */
/* Exempts the machine's name servers from IPAddressDeny= of instances. This exempts all their
 * ports, but the rules in the kernel (rules.h) allow only port 53 of these servers. */
#pragma once

#include "firewall/resolvers.h"

/* Sets IPAddressAllow= of bellhop.slice to the name servers, until the next boot. Does nothing if
 * IPAddressAllow= already has this value, because after each change, systemd has to check every
 * instance. Returns 0 or a negative errno. */
int allow_resolvers(const Resolvers *resolvers);
