/* SPDX-License-Identifier: MIT */
/*
 * Configuration: DIR/router.conf, DIR/router.conf.d/X.conf and DIR/instances/NAME.conf, read by the
 * router, the generator and mod_bellhop with this same code. Non-logging: what is wrong comes back
 * as problems, each with file, line and what to do. A bad instance file leaves out that instance
 * and no other.
 */
#pragma once

#include "config/problem.h"
#include "route/hostmap.h"
#include "util/address.h"

#define CONFIG_FILE_MAX_BYTES (64U * 1024 * 1024)

#define TRUSTED_PROXIES_MAX 256

/* Who is believed when a PROXY header tells of another client. */
typedef struct TrustedProxies {
        struct {
                struct in6_addr ip;
                unsigned bits;
        } prefixes[TRUSTED_PROXIES_MAX];
        size_t n;
} TrustedProxies;

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer);

/* Settings of the router: bellhop.router.conf(5). */
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

/* What is done with plain HTTP. */
typedef enum HttpPolicy {
        HTTP_SERVE,    /* the site answers */
        HTTP_REDIRECT, /* the router sends to HTTPS */
        HTTP_REFUSE,   /* the router refuses */
} HttpPolicy;

/* One customer: bellhop.instance(5). */
typedef struct Instance {
        char *name; /* the customer, and the user */
        char *file; /* where it was read */
        bool is_default;
        unsigned default_line; /* where that stands */
        HttpPolicy http;
        bool network;
        uint64_t idle_usec; /* 0: never exit */
} Instance;

typedef struct Config {
        RouterSettings router;
        Instance *instances; /* sorted by name; those in use only */
        size_t n_instances;
        uint32_t default_instance; /* ROUTE_NONE: none */
        HostMap *map;
        Problem *problems;
        size_t n_problems;
        uint64_t begun_nsec; /* when reading began, since 1970: what changes later is not in it */
        size_t n_kept;       /* instances that are as they were before, because of problems */
        bool settings_kept;  /* so are the settings of the router */
} Config;

typedef enum ConfigUsers {
        CONFIG_USERS_CHECK,
        CONFIG_USERS_TRUST, /* early in the boot, when not all users can be known yet */
} ConfigUsers;

/*
 * Reads everything below dir (which may lack any of the files). Returns 0 although there are
 * problems; a negative errno only for what has nothing to do with the files' contents (-ENOMEM,
 * -EMFILE, ...).
 *
 * old may be NULL. Otherwise a file that has a mistake now does not end what is in force: its
 * instance keeps what it has in old, but for routes that belong to another now, and so do the
 * router's settings.
 *
 * Works in any thread, as long as no other one asks the user database.
 */
int config_load(const char *dir, ConfigUsers check, const Config *old, Config **ret);

/*
 * The view of one instance: what a router with this configuration would send to it. Reads NAME.conf
 * alone where no other file can matter (exact hosts only), everything where it can: another
 * instance may have a more exact host below a wildcard of this one. -ENOENT when the instance is
 * not in use (see problems).
 */
int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance);

/* Network= of one instance, by its file alone; "no" when there is none or it has mistakes. */
int config_read_network(const char *dir, const char *name, bool *ret);

Config *config_free(Config *config);

typedef enum RouteKind {
        ROUTE_BY_HOST,
        ROUTE_BY_DEFAULT,
        ROUTE_UNKNOWN,
} RouteKind;

/* Whose is this host? host NULL: none was named. Sets *ret_instance unless ROUTE_UNKNOWN. */
RouteKind config_route(const Config *config, const Hostname *host, uint32_t *ret_instance);

/* Where a route of config->map comes from. */
const Instance *config_origin(const Config *config, uint64_t origin, unsigned *ret_line);

/* The instance of that name, or ROUTE_NONE. */
uint32_t config_find_instance(const Config *config, const char *name);

/* A name that can be an instance: what systemd takes as a user name in User=%i and as part of a
 * unit name. */
bool instance_name_is_valid(const char *name);
