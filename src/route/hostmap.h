/* SPDX-License-Identifier: MIT */
/*
 * Routes: which instance gets a host or a local address. Built once, then read-only; a reload
 * builds another and swaps it in. An instance is a number here (its place in Config.instances).
 *
 * An exact host wins over a wildcard, the longest suffix wins among wildcards. "*.suffix" stands
 * for one or more labels before the suffix, as Apache's ServerAlias does, and never for the suffix
 * itself.
 *
 * The names come from root-owned files, so nobody can choose them to collide: the hash needs no
 * key.
 */
#pragma once

#include "route/hostname.h"
#include "util/address.h"

#define ROUTE_NONE UINT32_MAX

typedef struct HostMap HostMap;

HostMap *hostmap_new(void);
HostMap *hostmap_free(HostMap *map);

/*
 * host: canonical, or "*." and a canonical suffix. origin: any number of the caller's (file and
 * line, say). Returns 0, -ENOMEM, or -EEXIST and in ret_other the origin of the entry that has this
 * host already.
 */
int hostmap_add_host(HostMap *map, const char *host, uint32_t instance, uint64_t origin,
                     uint64_t *ret_other);
int hostmap_add_address(HostMap *map, const Address *address, uint32_t instance, uint64_t origin,
                        uint64_t *ret_other);

typedef struct HostMapConflict {
        char what[HOSTNAME_MAX + 3]; /* the host or address that both have */
        uint64_t origin;             /* in the map that was to be added */
        uint64_t other;              /* in the map that has it already */
} HostMapConflict;

/*
 * Adds all routes of another map, as those of the given instance; origin_base is added to each
 * origin. Returns 0, -ENOMEM, or -EEXIST, fills ret_conflict and has added nothing.
 */
int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapConflict *ret_conflict);

/* What becomes of the routes of an instance that go from one map to another. */
typedef struct HostMapMove {
        uint32_t instance;     /* its number there; ROUTE_NONE: they do not go */
        uint64_t origin_shift; /* added to each origin; may wrap */
} HostMapMove;

/*
 * Adds the routes of another map that are still free, those of its instance i by moves[i]. Start
 * with *cursor 0. Returns 0 at the end, -ENOMEM, or -EEXIST for a route that is taken: ret_conflict
 * says which, *ret_instance whose it would have been, and the next call goes on after it.
 */
int hostmap_keep(HostMap *map, const HostMap *from, const HostMapMove *moves, size_t *cursor,
                 HostMapConflict *ret_conflict, uint32_t *ret_instance);

/* Whether another instance could get something that this map, standing alone, would give to its
 * own. */
bool hostmap_is_exact(const HostMap *map);
size_t hostmap_size(const HostMap *map);

typedef struct HostMapRoute {
        char what[HOSTNAME_MAX + 3]; /* the host, wildcard or address */
        bool is_address;
        uint32_t instance;
        uint64_t origin;
} HostMapRoute;

/* All routes are numbered from 0 to hostmap_size() - 1: hosts first, in the order in which they
 * were added, then addresses. */
void hostmap_route(const HostMap *map, size_t route, HostMapRoute *ret);

/* The next one; start with *cursor 0. False at the end. */
bool hostmap_next(const HostMap *map, size_t *cursor, HostMapRoute *ret);

typedef struct HostMapMatch {
        uint32_t instance; /* ROUTE_NONE: no route leads anywhere */
        uint32_t route;
} HostMapMatch;

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host);
HostMapMatch hostmap_find_address(const HostMap *map, const Address *local);
bool hostmap_has_addresses(const HostMap *map);
