/* SPDX-License-Identifier: MIT */
/* Makes lists of each instance's hosts and addresses from the routes in a HostMap. */
#pragma once

#include "config/config.h"

typedef struct Hosts {
        char **hosts; /* and wildcards, in the order of the instance's file */
        size_t n_hosts;
        char **addresses;
        size_t n_addresses;
} Hosts;

/* Returns an array with one element for each instance. The index is the number that the map uses
 * for the instance. NULL: memory ran out. */
Hosts *hosts_new(const HostMap *map, size_t n_instances);

/* Whether clients can reach the instance also by hosts that its files do not name exactly: because
 * of Default=yes, a wildcard, or an address. */
bool hosts_are_open(const Hosts *hosts, const Instance *instance);

Hosts *hosts_free(Hosts *hosts, size_t n_instances);
