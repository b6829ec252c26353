/* SPDX-License-Identifier: MIT */
#include "ctl/ask/hosts.h"
#include "util/cleanup.h"
#include "util/text.h"

Hosts *hosts_new(const HostMap *map, size_t n_instances)
{
        Hosts *hosts = calloc(n_instances + 1, sizeof(*hosts));
        int r = 0;

        for (size_t i = 0; hosts && r == 0 && i < hostmap_size(map); i++) {
                const HostMapRoute route = hostmap_route(map, i);
                Hosts *of = &hosts[route.instance];

                if (route.instance == ROUTE_NONE)
                        continue;
                r = route.is_address ? texts_append(&of->addresses, &of->n_addresses, route.what)
                                     : texts_append(&of->hosts, &of->n_hosts, route.what);
        }
        return r == 0 ? hosts : hosts_free(hosts, n_instances);
}

bool hosts_are_open(const Hosts *hosts, const Instance *instance)
{
        for (size_t i = 0; i < hosts->n_hosts; i++)
                if (hosts->hosts[i][0] == '*')
                        return true;
        return instance->is_default || hosts->n_addresses > 0;
}

Hosts *hosts_free(Hosts *hosts, size_t n_instances)
{
        for (size_t i = 0; hosts && i < n_instances; i++) {
                texts_free(hosts[i].hosts, hosts[i].n_hosts);
                texts_free(hosts[i].addresses, hosts[i].n_addresses);
        }
        free(hosts);
        return NULL;
}
