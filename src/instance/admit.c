/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <string.h>

#include "challenge/challenge.h"
#include "instance/admit.h"

/* Returns whether this instance answers requests for hosts without a route. The default instance
 * answers them, and so does an instance that got the connection because of the connection's local
 * address. */
static bool admit_unknown(const Config *config, uint32_t own, const struct bellhop_handoff *handoff)
{
        return handoff->reason == BELLHOP_REASON_ADDRESS ||
               handoff->reason == BELLHOP_REASON_DEFAULT || config->default_instance == own;
}

bool admit_host(const Config *config, uint32_t own, const char *name,
                const struct bellhop_handoff *handoff)
{
        HostMapMatch match;
        Hostname host;

        assert(config && own < config->n_instances);
        if (hostname_parse(span_from_string(name), &host) != HOSTNAME_OK)
                return admit_unknown(config, own, handoff);
        if (strcmp(host.name, handoff->host) == 0)
                return true;
        match = hostmap_find_host(config->map, &host);
        return match.route == ROUTE_NONE ? admit_unknown(config, own, handoff)
                                         : match.instance == own;
}

bool admit_has_one_request(const Config *config, uint32_t own,
                           const struct bellhop_handoff *handoff)
{
        return handoff->protocol == BELLHOP_PROTOCOL_HTTP &&
               config->instances[own].http != HTTP_SERVE;
}

const char *admit_canonical(const Config *config, uint32_t own, const char *name, const char *path)
{
        const char *canonical = config->instances[own].canonical;
        HostMapMatch match;
        Hostname host;

        if (!canonical || path[0] != '/' || challenge_is_path(span_from_string(path)) ||
            hostname_parse(span_from_string(name), &host) != HOSTNAME_OK ||
            strcmp(host.name, canonical) == 0)
                return NULL;
        match = hostmap_find_host(config->map, &host);
        return match.instance == own &&
                               strcmp(hostmap_route(config->map, match.route).what, host.name) == 0
                       ? canonical
                       : NULL;
}
