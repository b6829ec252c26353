/* SPDX-License-Identifier: MIT */
/* Lists the hosts and addresses of each instance, from the routes. */
#pragma once

#include "config/config.h"

typedef struct Hosts {
        char **hosts; /* also wildcards, in the order of the file */
        size_t n_hosts;
        char **addresses;
        size_t n_addresses;
} Hosts;

/* Returns an array with one element for each instance, in the order of the numbers that the map
 * uses for instances. NULL: no memory. */
Hosts *hosts_new(const HostMap *map, size_t n_instances);
Hosts *hosts_free(Hosts *hosts, size_t n_instances);
