/* SPDX-License-Identifier: MIT */
/* Open connections by their cookies, and those that ended before the router reported their owner.
 * The kernel makes the cookies, so no attacker can make them collide, and the hash needs no key. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As the account of a connection: the owner is not yet known. The connection has ended, and its
 * numbers of bytes are final. */
#define OPEN_NOBODY UINT32_MAX

typedef struct Open {
        uint64_t cookie; /* 0: a free place */
        uint32_t account;
        uint32_t stamp; /* when it was last seen, by the caller's measure */
        uint64_t sent, received;
        uint64_t n_least; /* bytes that it has received, or fewer */
} Open;

typedef struct OpenTable {
        Open *places;
        size_t n_places; /* a power of two, or 0 */
        size_t n;
        size_t max;
} OpenTable;

void open_table_done(OpenTable *table);

/* NULL: there is none. Valid until something is added or removed. */
Open *open_table_find(const OpenTable *table, uint64_t cookie);

/* Adds a missing one, with zeros. NULL: max is reached, or there is no memory. */
Open *open_table_add(OpenTable *table, uint64_t cookie);

void open_table_remove(OpenTable *table, Open *open);

/* Removes all for which the function returns true. */
void open_table_sweep(OpenTable *table, bool (*goes)(const Open *open, void *userdata),
                      void *userdata);
