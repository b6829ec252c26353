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

/* One for each instance, in the same order. NULL: no memory. */
Hosts *hosts_new(const Config *config);
Hosts *hosts_free(Hosts *hosts, const Config *config);
