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

static struct in6_addr source_prefix(const SourceLimit *limit, const Address *client)
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&client->ip);

        return address_prefix(&client->ip,
                              v4 ? ADDRESS_IPV4_MAPPED_BITS + limit->ipv4_bits : limit->ipv6_bits);
}

int source_charge(SourceTable *table, const SourceLimit *limit, const Address *client, Source **ret)
{
        const Source key = { .prefix = source_prefix(limit, client) };
        Source **found = tfind(&key, &table->root, source_compare);
        Source *source;

        if (found) {
                if (limit->n > 0 && (*found)->n >= limit->n)
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

Source *source_release(SourceTable *table, Source *source)
{
        if (!source || --source->n > 0)
                return NULL;
        (void)tdelete(source, &table->root, source_compare);
        table->n--;
        free(source);
        return NULL;
}
