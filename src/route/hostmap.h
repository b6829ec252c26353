/* SPDX-License-Identifier: MIT */
/*
 * A route leads from a host or a local address to an instance, which is an index into
 * Config.instances. The map is built once, and is then read-only. The names come from root's files,
 * so no attacker can make them collide, and the hash needs no key.
 *
 * An exact host wins over a wildcard. Among wildcards, the longest suffix wins. "*.suffix" matches
 * one or more labels before the suffix, as Apache's ServerAlias does, and never the suffix itself.
 */
#pragma once

#include "route/hostname.h"
#include "util/address.h"

/* If a number of a route has this value, there is no route. If the instance of a route has this
 * value, the route has no owner, and leads to no instance. */
#define ROUTE_NONE UINT32_MAX

typedef struct HostMap HostMap;

HostMap *hostmap_new(void);
HostMap *hostmap_free(HostMap *map);

/* host: canonical, or "*." and a canonical suffix. origin: a number of the caller's choice, which
 * hostmap_route() returns. Returns 0, -ENOMEM, or -EEXIST if the map already has this host; then
 * *ret_other is the origin of the existing route. */
int hostmap_add_host(HostMap *map, const char *host, uint32_t instance, uint64_t origin,
                     uint64_t *ret_other);
int hostmap_add_address(HostMap *map, const Address *address, uint32_t instance, uint64_t origin,
                        uint64_t *ret_other);

typedef struct HostMapRoute {
        char what[HOSTNAME_MAX + 3]; /* the host, wildcard or address */
        bool is_address;
        uint32_t instance;
        uint64_t origin;
        uint64_t hash; /* the hash of the host, wildcard or address */
} HostMapRoute;

/* Routes are numbered from 0 to hostmap_size() - 1, in the order in which they were added. */
size_t hostmap_size(const HostMap *map);
HostMapRoute hostmap_route(const HostMap *map, size_t route);

/* Adds all routes of another map as routes to the given instance. origin_base is added to each
 * origin. Returns 0, -ENOMEM, or -EEXIST. With -EEXIST, nothing was added: *ret_taken is a route
 * that the map already has, and *ret_other is the origin of that route in the map. */
int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapRoute *ret_taken, uint64_t *ret_other);

/* Adds one route of another map. Returns the same as hostmap_add_host(). */
int hostmap_copy(HostMap *map, const HostMap *from, size_t route, uint32_t instance,
                 uint64_t origin, uint64_t *ret_other);

/* Whether the map has only exact hosts. If so, the routes that other instances have can't take any
 * host from this map: an exact host wins over a wildcard. */
bool hostmap_is_exact(const HostMap *map);

typedef struct HostMapMatch {
        uint32_t instance;
        uint32_t route; /* ROUTE_NONE: no route, and instance is ROUTE_NONE too */
} HostMapMatch;

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host);
HostMapMatch hostmap_find_address(const HostMap *map, const Address *local);

/* Finds the wildcard that would get the host of this route (or its wildcard) if two instances had
 * no routes: the route's own instance, and the instance 'without'. If 'without' is ROUTE_NONE, only
 * the route's own instance has no routes. */
HostMapMatch hostmap_find_next(const HostMap *map, size_t route, uint32_t without);

bool hostmap_has_addresses(const HostMap *map);
