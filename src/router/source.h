/* SPDX-License-Identifier: MIT */
/* Counts pending connections by address prefix, as an IPv6 client usually has 2^64 addresses. */
#pragma once

#include "config/config.h"

typedef struct Source Source;

typedef struct SourceTable {
        void *root; /* tsearch(3): a tree needs no hash, whose collisions a client could cause */
        size_t n;   /* sources with anything pending */
} SourceTable;

/* Counts one connection. 0 and *ret; -EDQUOT: the source has reached its limit; -ENOMEM. */
int source_charge(SourceTable *table, const RouterSettings *settings, const Address *client,
                  Source **ret);

/* Releases it; NULL is allowed. */
void source_release(SourceTable *table, Source *source);
