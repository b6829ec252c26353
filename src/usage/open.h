/* SPDX-License-Identifier: MIT */
/* A table of open connections, and of connections that ended before the router reported their owner
 * (the instance that got them). The keys are the cookies of the connections: numbers that the
 * kernel gives to sockets (SO_COOKIE). So no attacker can choose cookies whose hashes collide, and
 * the hash needs no secret key. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Stands for the account of a connection that has ended before its owner is known. The numbers of
 * bytes of such a connection are final. */
#define OPEN_NOBODY UINT32_MAX

typedef struct Open {
        uint64_t cookie; /* 0: a free place */
        uint32_t account;
        uint32_t stamp; /* when it was last seen; the caller chooses the unit of time */
        uint64_t sent, received;
        uint64_t n_least; /* number of bytes that it has received, or a smaller number */
} Open;

typedef struct OpenTable {
        Open *places;
        size_t n_places; /* a power of two, or 0 */
        size_t n;
        size_t max;
} OpenTable;

void open_table_done(OpenTable *table);

/* Returns the entry of a cookie, or NULL if there is none. The pointer is valid until an entry is
 * added or removed. */
Open *open_table_find(const OpenTable *table, uint64_t cookie);

/* Adds an entry for a cookie, which must not have one yet. All other fields of the entry are zero.
 * Returns NULL if max is reached, or if there is not enough memory. */
Open *open_table_add(OpenTable *table, uint64_t cookie);

void open_table_remove(OpenTable *table, Open *open);

/* Removes all entries for which goes() returns true. */
void open_table_sweep(OpenTable *table, bool (*goes)(const Open *open, void *userdata),
                      void *userdata);
