/* SPDX-License-Identifier: MIT */
/* Which hosts and addresses lead to each instance: the routes, seen from the other side. */
#pragma once

#include "config/config.h"

typedef struct Hosts {
        char **hosts; /* with wildcards, in the order of the file */
        size_t n_hosts;
        char **addresses;
        size_t n_addresses;
} Hosts;

/* One for each of n_instances, as the map numbers them. NULL: no memory. */
Hosts *hosts_new(const HostMap *map, size_t n_instances);
Hosts *hosts_free(Hosts *hosts, size_t n_instances);
