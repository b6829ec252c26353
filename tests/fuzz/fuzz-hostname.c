/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: hosts and addresses. What is canonical stays as it is, nothing is both host and
 * address, and a map gives back what was put into it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "route/hostmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static Span span_of(const Hostname *host)
{
        return (Span){ .data = (const uint8_t *)host->name, .size = host->length };
}

static void require_same(const Hostname *a, const Hostname *b)
{
        require(a->length == b->length && memcmp(a->name, b->name, a->length + 1) == 0);
}

static void check_form(const Hostname *host)
{
        size_t label = 0;

        require(host->length > 0 && host->length <= HOSTNAME_MAX);
        require(strlen(host->name) == host->length);
        for (size_t i = 0; i <= host->length; i++) {
                if (host->name[i] == '.' || host->name[i] == 0) {
                        require(label > 0 && label <= 63);
                        require(host->name[i - 1] != '-' && host->name[i - label] != '-');
                        label = 0;
                        continue;
                }
                require(strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", host->name[i]) != NULL);
                label++;
        }
}

/* The same host in other words: upper case, a trailing dot, a port. */
static void check_canonical(const Hostname *host)
{
        char text[HOSTNAME_MAX + sizeof(".:65535")];
        Hostname again;

        require(hostname_parse(span_of(host), &again) == HOSTNAME_OK);
        require_same(host, &again);
        require(hostname_parse_with_port(span_of(host), &again) == HOSTNAME_OK);
        require_same(host, &again);

        for (size_t i = 0; i < host->length; i++)
                text[i] = host->name[i] >= 'a' && host->name[i] <= 'z'
                                  ? (char)(host->name[i] - 'a' + 'A')
                                  : host->name[i];
        memcpy(text + host->length, ".:65535", sizeof(".:65535"));
        require(hostname_parse_with_port(span_from_string(text), &again) == HOSTNAME_OK);
        require_same(host, &again);
        text[host->length + 1] = 0;
        require(hostname_parse(span_from_string(text), &again) == HOSTNAME_OK);
        require_same(host, &again);
}

static void check_map(const Hostname *host)
{
        HostMap *map = hostmap_new();
        char wildcard[HOSTNAME_MAX + 3] = "*.";
        const char *dot = strchr(host->name, '.');
        uint64_t other = 0;

        if (!map)
                return;
        require(hostmap_find_host(map, host).instance == ROUTE_NONE);
        memcpy(wildcard + 2, host->name, host->length + 1);
        require(hostmap_add_host(map, wildcard, 1, 11, &other) == 0);
        require(hostmap_find_host(map, host).instance == ROUTE_NONE);
        if (dot) {
                snprintf(wildcard, sizeof(wildcard), "*%s", dot);
                require(hostmap_add_host(map, wildcard, 2, 12, &other) == 0);
                require(hostmap_find_host(map, host).instance == 2);
        }
        require(hostmap_add_host(map, host->name, 3, 13, &other) == 0);
        require(hostmap_find_host(map, host).instance == 3);
        require(hostmap_add_host(map, host->name, 4, 14, &other) == -EEXIST && other == 13);
        require(hostmap_size(map) == (dot ? 3 : 2));
        (void)hostmap_free(map);
}

static void check_address(Span in)
{
        Hostname host;
        Address address;

        if (!address_parse(in, &address))
                return;
        require(hostname_parse(in, &host) == HOSTNAME_ADDRESS);
        require(!IN6_IS_ADDR_UNSPECIFIED(&address.ip));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const Span in = { .data = data, .size = size };
        Hostname host, with_port;
        const HostnameResult result = hostname_parse(in, &host);
        const HostnameResult result_with_port = hostname_parse_with_port(in, &with_port);

        if (result == HOSTNAME_OK) {
                check_form(&host);
                check_canonical(&host);
                check_map(&host);
                require(result_with_port == HOSTNAME_OK);
                require_same(&host, &with_port);
        } else if (result_with_port == HOSTNAME_OK) {
                require(result == HOSTNAME_ADDRESS && memchr(data, ':', size) != NULL);
                check_form(&with_port);
                check_canonical(&with_port);
        }
        if (size > 0)
                check_address(in);
        return 0;
}
