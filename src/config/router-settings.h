/* SPDX-License-Identifier: MIT */
/* The settings of the router: bellhop.router.conf(5). */
#pragma once

#include "util/address.h"

#define TRUSTED_PROXIES_MAX 256

/* Proxies whose PROXY header is trusted to name the client. */
typedef struct TrustedProxies {
        struct {
                struct in6_addr ip;
                unsigned bits;
        } prefixes[TRUSTED_PROXIES_MAX];
        size_t n;
} TrustedProxies;

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer);

typedef struct RouterSettings {
        uint64_t sniff_timeout_usec;
        uint64_t sniff_max_bytes;
        uint64_t handoff_timeout_usec;
        uint64_t pending_max;
        uint64_t pending_max_per_instance;
        uint64_t in_flight_max_per_instance; /* 0: a share of RLIMIT_NOFILE */
        uint64_t pending_max_per_source;     /* 0: no limit */
        uint64_t starting_max;               /* 0: by the number of processors */
        uint64_t source_prefix_ipv4;         /* bits */
        uint64_t source_prefix_ipv6;         /* bits */
        TrustedProxies trusted_proxies;
} RouterSettings;

extern const RouterSettings router_settings_default;

struct Config;

/* Reads DIR/router.conf and DIR/router.conf.d/X.conf over config->router. A file with a mistake
 * changes no setting. Returns 0 or a negative errno. */
int router_settings_load(struct Config *config, const char *dir);
