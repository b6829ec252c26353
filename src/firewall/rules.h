/* SPDX-License-Identifier: MIT */
/* The rules in the kernel, by libnftables. The table belongs to the context that loads it: other
 * programs can't change it, and it goes with the context. */
#pragma once

#include <nftables/libnftables.h>
#include <stdbool.h>

#include "firewall/resolvers.h"

/* Loads the file and the name servers in one transaction: on failure, what was loaded before stays
 * in force. replaces: it has been loaded already. Logs; 0 or a negative errno. */
int rules_load(struct nft_ctx *nft, const char *file, const Resolvers *resolvers, bool replaces);

/* Whether the kernel applies the rules to this process, which must be in bellhop.slice. Logs; 0 or
 * a negative errno. */
int rules_probe(void);
