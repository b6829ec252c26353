/* SPDX-License-Identifier: MIT */
#include "ctl/ask/hosts.h"
#include "util/cleanup.h"

static bool append(char ***list, size_t *n, const char *text)
{
        char **grown = reallocarray(*list, *n + 1, sizeof(*grown));

        if (!grown)
                return false;
        *list = grown;
        grown[*n] = strdup(text);
        return grown[*n] && ++*n;
}

Hosts *hosts_new(const Config *config)
{
        Hosts *hosts = calloc(config->n_instances + 1, sizeof(*hosts));
        HostMapRoute route;
        size_t cursor = 0;

        while (hosts && hostmap_next(config->map, &cursor, &route)) {
                Hosts *of = &hosts[route.instance];

                if (route.is_address ? !append(&of->addresses, &of->n_addresses, route.what)
                                     : !append(&of->hosts, &of->n_hosts, route.what))
                        return hosts_free(hosts, config);
        }
        return hosts;
}

Hosts *hosts_free(Hosts *hosts, const Config *config)
{
        for (size_t i = 0; hosts && i < config->n_instances; i++) {
                for (size_t j = 0; j < hosts[i].n_hosts; j++)
                        free(hosts[i].hosts[j]);
                for (size_t j = 0; j < hosts[i].n_addresses; j++)
                        free(hosts[i].addresses[j]);
                free(hosts[i].hosts);
                free(hosts[i].addresses);
        }
        free(hosts);
        return NULL;
}
