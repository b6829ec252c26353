/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "router/source.h"

struct Source {
        struct in6_addr prefix;
        size_t n;
};

static int source_compare(const void *a, const void *b)
{
        return memcmp(&((const Source *)a)->prefix, &((const Source *)b)->prefix,
                      sizeof(struct in6_addr));
}

int source_charge(SourceTable *table, const RouterSettings *settings, const Address *client,
                  Source **ret)
{
        const uint64_t bits = IN6_IS_ADDR_V4MAPPED(&client->ip)
                                      ? ADDRESS_IPV4_MAPPED_BITS + settings->source_prefix_ipv4
                                      : settings->source_prefix_ipv6;
        const Source key = { .prefix = address_prefix(&client->ip, (unsigned)bits) };
        Source **found = tfind(&key, &table->root, source_compare);
        Source *source;

        if (found) {
                if (settings->pending_max_per_source > 0 &&
                    (*found)->n >= settings->pending_max_per_source)
                        return -EDQUOT;
                (*found)->n++;
                *ret = *found;
                return 0;
        }
        source = malloc(sizeof(*source));
        if (!source)
                return -ENOMEM;
        *source = (Source){ .prefix = key.prefix, .n = 1 };
        if (!tsearch(source, &table->root, source_compare)) {
                free(source);
                return -ENOMEM;
        }
        table->n++;
        *ret = source;
        return 0;
}

void source_release(SourceTable *table, Source *source)
{
        if (!source || --source->n > 0)
                return;
        (void)tdelete(source, &table->root, source_compare);
        table->n--;
        free(source);
}
