/* SPDX-License-Identifier: MIT */
/* The hosts and addresses of each instance, from the routes. */
#pragma once

#include "config/config.h"

typedef struct Hosts {
        char **hosts; /* with wildcards, in the order of the file */
        size_t n_hosts;
        char **addresses;
        size_t n_addresses;
} Hosts;

/* An array with n_instances elements, numbered as in the map. NULL: no memory. */
Hosts *hosts_new(const HostMap *map, size_t n_instances);
Hosts *hosts_free(Hosts *hosts, size_t n_instances);
