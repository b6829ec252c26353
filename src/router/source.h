/* SPDX-License-Identifier: MIT */
/* Counts the pending connections of each source. A source is a prefix of addresses, because an IPv6
 * client usually has 2^64 addresses. */
#pragma once

#include "config/config.h"

typedef struct Source Source;

typedef struct SourceTable {
        void *root; /* the root of a tree, see tsearch(3); in a hash table, clients could cause
                       collisions */
        size_t n;   /* the number of sources that have pending connections */
} SourceTable;

/* Counts one connection. Returns 0 and sets *ret, or returns -EDQUOT if the source has reached its
 * limit, or -ENOMEM. */
int source_charge(SourceTable *table, const RouterSettings *settings, const Address *client,
                  Source **ret);

/* Stops counting one connection. source may be NULL. */
void source_release(SourceTable *table, Source *source);
