/* SPDX-License-Identifier: MIT */
/* Loads the rules for instances with Network=internet into the kernel, through libnftables. The
 * table of rules belongs to the nft_ctx that loads it: other programs can't change the table, and
 * the kernel removes the table when the nft_ctx is freed. */
#pragma once

#include <nftables/libnftables.h>
#include <stdbool.h>

#include "firewall/resolvers.h"

/* Loads the rules in the file and the rules for the name servers in one transaction: on failure,
 * the earlier rules stay in force. replaces: whether rules have been loaded before. Logs errors.
 * Returns 0 or a negative errno. */
int rules_load(struct nft_ctx *nft, const char *file, const Resolvers *resolvers, bool replaces);

/* Checks that the kernel applies the rules to this process, which must be in bellhop.slice. Logs
 * errors. Returns 0 or a negative errno. */
int rules_probe(void);
