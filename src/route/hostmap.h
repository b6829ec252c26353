/* SPDX-License-Identifier: MIT */
/*
 * Routes: the instance, by its index in Config.instances, for a host or a local address. Built
 * once, then read-only. The names come from root's files, so no attacker can make them collide, and
 * the hash needs no key.
 *
 * An exact host wins over a wildcard. Among wildcards, the longest suffix wins. "*.suffix" matches
 * one or more labels before the suffix, as Apache's ServerAlias does, and never the suffix itself.
 */
#pragma once

#include "route/hostname.h"
#include "util/address.h"

/* As the number of a route: none. As the instance of a route: it has no owner, and leads nowhere.
 */
#define ROUTE_NONE UINT32_MAX

typedef struct HostMap HostMap;

HostMap *hostmap_new(void);
HostMap *hostmap_free(HostMap *map);

/* host: canonical, or "*." and a canonical suffix. origin: any number from the caller. Returns 0,
 * -ENOMEM, or -EEXIST and, in ret_other, the origin of the entry that already has this host. */
int hostmap_add_host(HostMap *map, const char *host, uint32_t instance, uint64_t origin,
                     uint64_t *ret_other);
int hostmap_add_address(HostMap *map, const Address *address, uint32_t instance, uint64_t origin,
                        uint64_t *ret_other);

typedef struct HostMapRoute {
        char what[HOSTNAME_MAX + 3]; /* the host, wildcard or address */
        bool is_address;
        uint32_t instance;
        uint64_t origin;
        uint64_t hash; /* of what */
} HostMapRoute;

/* Routes are numbered from 0 to hostmap_size() - 1, in the order in which they were added. */
size_t hostmap_size(const HostMap *map);
HostMapRoute hostmap_route(const HostMap *map, size_t route);

/* Adds all routes of another map to the given instance, with origin_base added to each origin.
 * Returns 0, -ENOMEM, or -EEXIST with nothing added: ret_taken is a route that the map already has,
 * *ret_other its origin there. */
int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapRoute *ret_taken, uint64_t *ret_other);

/* Adds one route of another map; returns the same as hostmap_add_host(). */
int hostmap_copy(HostMap *map, const HostMap *from, size_t route, uint32_t instance,
                 uint64_t origin, uint64_t *ret_other);

/* Whether no other map could take a connection from this one. */
bool hostmap_is_exact(const HostMap *map);

typedef struct HostMapMatch {
        uint32_t instance;
        uint32_t route; /* ROUTE_NONE: no route, and instance is ROUTE_NONE too */
} HostMapMatch;

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host);
HostMapMatch hostmap_find_address(const HostMap *map, const Address *local);

/* The instance that would get the host or wildcard of that route if its own instance and the
 * instance 'without' (ROUTE_NONE: none) had no routes. */
HostMapMatch hostmap_find_next(const HostMap *map, size_t route, uint32_t without);

bool hostmap_has_addresses(const HostMap *map);
