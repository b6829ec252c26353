/* SPDX-License-Identifier: MIT */
/*
 * A route leads from a host, or from the local address of a connection, to an instance. The number
 * of an instance is its index in Config.instances. A HostMap contains routes. It is built once, and
 * is then read-only. All hosts in it come from files that root writes, so no attacker can choose
 * hosts whose hashes collide, and the hash needs no secret key.
 *
 * An exact host wins over a wildcard. Among wildcards, the longest suffix wins. "*.suffix" matches
 * one or more labels before the suffix, as Apache's ServerAlias does, and never the suffix itself.
 */
#pragma once

#include "route/hostname.h"
#include "util/address.h"

/* This value, instead of the number of a route or of an instance, means that there is none. */
#define ROUTE_NONE UINT32_MAX

typedef struct HostMap HostMap;

HostMap *hostmap_new(void);
HostMap *hostmap_free(HostMap *map);

/* Add a route. The parameter host is a canonical host, or "*." and a canonical suffix. The
 * parameter origin is any number, such as that of a line in a file; hostmap_route() returns it with
 * the route. These functions return 0, -ENOMEM, or -EEXIST if the map already has this host or
 * address; *ret_other is then the origin of the existing route. */
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
 * origin. Returns 0, -ENOMEM, or -EEXIST. If it returns -EEXIST, it has added nothing: *ret_taken
 * is a route of `from` whose host or address already has a route in map, and *ret_other is the
 * origin of this existing route. */
int hostmap_merge(HostMap *map, const HostMap *from, uint32_t instance, uint64_t origin_base,
                  HostMapRoute *ret_taken, uint64_t *ret_other);

/* Adds one route of another map. Returns the same as hostmap_add_host(). */
int hostmap_copy(HostMap *map, const HostMap *from, size_t route, uint32_t instance,
                 uint64_t origin, uint64_t *ret_other);

/* Whether the map has only exact hosts. If so, a wildcard in another map never wins over a route of
 * this map, because an exact host wins over every wildcard. */
bool hostmap_is_exact(const HostMap *map);

typedef struct HostMapMatch {
        uint32_t instance;
        uint32_t route; /* ROUTE_NONE: no route, and instance is ROUTE_NONE too */
} HostMapMatch;

HostMapMatch hostmap_find_host(const HostMap *map, const Hostname *host);
HostMapMatch hostmap_find_address(const HostMap *map, const Address *local);

/* Finds the longest wildcard of another instance that matches the host (or wildcard) of this route.
 * If `without` is the number of an instance, and not ROUTE_NONE, the search also ignores the routes
 * of that instance. */
HostMapMatch hostmap_find_next(const HostMap *map, size_t route, uint32_t without);

bool hostmap_has_addresses(const HostMap *map);
