/* SPDX-License-Identifier: MIT */
#include "ctl/ask/hosts.h"
#include "util/array.h"
#include "util/cleanup.h"

static int hosts_append(char ***list, size_t *n, const char *text)
{
        char *copy = strdup(text);
        const int r = copy ? array_append(*list, *n, copy) : -ENOMEM;

        if (r < 0)
                free(copy);
        return r;
}

Hosts *hosts_new(const HostMap *map, size_t n_instances)
{
        Hosts *hosts = calloc(n_instances + 1, sizeof(*hosts));
        HostMapRoute route;
        size_t cursor = 0;
        int r = 0;

        while (hosts && r == 0 && hostmap_next(map, &cursor, &route)) {
                Hosts *of = &hosts[route.instance];

                r = route.is_address ? hosts_append(&of->addresses, &of->n_addresses, route.what)
                                     : hosts_append(&of->hosts, &of->n_hosts, route.what);
        }
        return r == 0 ? hosts : hosts_free(hosts, n_instances);
}

static void hosts_free_list(char **list, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(list[i]);
        free(list);
}

Hosts *hosts_free(Hosts *hosts, size_t n_instances)
{
        for (size_t i = 0; hosts && i < n_instances; i++) {
                hosts_free_list(hosts[i].hosts, hosts[i].n_hosts);
                hosts_free_list(hosts[i].addresses, hosts[i].n_addresses);
        }
        free(hosts);
        return NULL;
}
