/* SPDX-License-Identifier: MIT */
/*
 * The whole configuration: DIR/router.conf, DIR/router.conf.d/X.conf and DIR/instances/NAME.conf,
 * the only source of truth, which all programs read with this code. It does not log: a mistake
 * becomes a Problem, and a mistake in the file of an instance only drops that instance.
 *
 * lines.c splits a line, settings.c looks up its key, instance.c and router-settings.c hold the
 * tables, instances.c merges the instances.
 */
#pragma once

#include "route/hostmap.h"
#include "util/address.h"

#define CONFIG_FILE_MAX_BYTES (64U * 1024 * 1024)

#define TRUSTED_PROXIES_MAX 256

/* Proxies whose PROXY header is trusted to name the client. */
typedef struct TrustedProxies {
        struct TrustedPrefix {
                struct in6_addr ip;
                unsigned bits;
        } prefixes[TRUSTED_PROXIES_MAX];
        size_t n;
} TrustedProxies;

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer);

/* bellhop.router.conf(5) */
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

/* The handling of plain HTTP. */
typedef enum HttpPolicy {
        HTTP_SERVE,    /* the instance answers */
        HTTP_REDIRECT, /* the router redirects to HTTPS */
        HTTP_REFUSE,   /* the router refuses */
} HttpPolicy;

#define HTTP_POLICIES (HTTP_REFUSE + 1)

/* Their names in Http=. */
extern const char *const http_policies[HTTP_POLICIES];

/* The network that an instance can connect to. */
typedef enum Network {
        NETWORK_NO,
        NETWORK_INTERNET, /* public addresses, except port 25 */
        NETWORK_YES,      /* everything that the machine can reach */
} Network;

#define NETWORKS (NETWORK_YES + 1)

/* Their names in Network=. */
extern const char *const network_names[NETWORKS];

/* The server of an instance. */
typedef enum ServerType {
        SERVER_APACHE,
        SERVER_NGINX,
        SERVER_TYPES,
} ServerType;

/* Their names in Server=. */
extern const char *const server_names[SERVER_TYPES];

/* The source of certificates in the folder of the instance. */
typedef enum TlsSource {
        TLS_FILES, /* the administrator or the customer */
        TLS_ACME,  /* bellhop-acme(8) */
} TlsSource;

#define TLS_SOURCES (TLS_ACME + 1)

/* Their names in Tls=. */
extern const char *const tls_source_names[TLS_SOURCES];

#define ACME_NAME_MAX     31
#define ACME_NAME_DEFAULT "default"

/* Limits of a customer for bellhop-mail(8). */
typedef struct MailLimits {
        uint64_t per_hour, per_day;
        uint64_t recipients_per_day;
} MailLimits;

/* bellhop.instance(5) */
typedef struct Instance {
        char *name; /* also of its user */
        char *file; /* path */
        bool is_default;
        unsigned default_line; /* the line of Default= in the file */
        char *canonical; /* the host to which it redirects its other exact hosts; NULL: no redirect
                          */
        HttpPolicy http;
        Network network;
        ServerType server;
        TlsSource tls;
        char acme[ACME_NAME_MAX + 1]; /* the authority: CONFIG/acme/NAME.conf */
        bool is_suspended;            /* its clients get 503, and no program of the customer runs */
        uint64_t idle_usec;           /* 0: never exit */
        MailLimits mail;              /* UINT64_MAX: as in mail.conf */
        bool is_kept;                 /* as it was before a reload */
        bool takes_others;            /* config_digest_others() sets this and others */
        uint64_t others;
} Instance;

/* A mistake in a file: fields for programs, which never parse the text, and text for people. */
typedef struct Problem {
        char *instance;   /* by the name of its file, which need not be a valid one; NULL: router */
        char *file;       /* path */
        unsigned line;    /* from 1; 0: the file as a whole */
        bool lacks_user;  /* the instance's user does not exist */
        char *meant;      /* the suggested correction; NULL: none is similar */
        char *text;       /* "FILE:LINE: what is wrong; what to do", or without ":LINE" */
        const char *what; /* the same without the place; points into text */
} Problem;

typedef struct Config {
        RouterSettings router;
        Instance *instances; /* sorted by name; those without a mistake, and those kept */
        size_t n_instances;
        uint32_t default_instance; /* ROUTE_NONE: none */
        HostMap *map;              /* hosts in a file with a mistake have no owner */
        Problem *problems;
        size_t n_problems;
        uint64_t begun_nsec; /* since 1970, when reading began: later changes are not in it */
        size_t n_kept;       /* instances with is_kept */
        bool settings_kept;  /* the settings of the router are kept */
} Config;

typedef enum ConfigUsers {
        CONFIG_USERS_CHECK,
        CONFIG_USERS_TRUST, /* early in the boot, when not all users may be available */
} ConfigUsers;

/*
 * Reads everything below dir, where any file may be missing. Returns 0 even with problems; a
 * negative errno never concerns the contents of files (-ENOMEM). old: the configuration in force,
 * or NULL. An instance whose file has a mistake now keeps its settings from old, except routes that
 * another instance has now; the router's settings are kept in the same way. Works in any thread
 * while no other thread uses the user database.
 */
int config_load(const char *dir, ConfigUsers check, const Config *old, Config **ret);

/* Reads what the router sends to one instance: NAME.conf alone if all its hosts are exact, else
 * everything, since another instance may have a more exact host below its wildcard. -ENOENT: the
 * file does not exist or has problems; *ret is set too. */
int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance);

/* Reads NAME.conf alone, with its hosts; a file that is missing or has problems has none. */
int config_load_own(const char *dir, const char *name, Config **ret);

#define INSTANCE_IDLE_USEC_DEFAULT (UINT64_C(600) * 1000000)

/* The settings of an instance from its file alone, without name and file. If the file is missing or
 * has problems: the defaults, and no mail. */
int config_read_instance(const char *dir, const char *name, Instance *ret);

Config *config_free(Config *config);

/*
 * Sets Instance.takes_others: the instance is the default or has wildcards, so it would get hosts
 * of other instances if their files did not name them. Sets Instance.others, a digest of these
 * hosts: it is 0 if there are none, and changes when one is added or removed. The instance
 * 'without' is ignored (ROUTE_NONE: none is).
 */
void config_digest_others(Config *config, uint32_t without);

typedef struct Origin {
        const Instance *instance; /* NULL: the file has a mistake */
        const char *file;         /* path */
        unsigned line;
} Origin;

/* The origin of a route of config->map. */
Origin config_origin(const Config *config, uint64_t origin);

/* The instance with that name, or ROUTE_NONE. */
uint32_t config_find_instance(const Config *config, const char *name);

/* Whether systemd takes the name both in User=%i and as part of a unit name. */
bool instance_name_is_valid(const char *name);
