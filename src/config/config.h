/* SPDX-License-Identifier: MIT */
/*
 * Reads the whole configuration: DIR/router.conf, DIR/router.conf.d/X.conf and
 * DIR/instances/NAME.conf. These files are the only source of truth, and all programs read them
 * with this code. The code does not log: each mistake becomes a Problem. A mistake in the file of
 * an instance affects only that instance.
 *
 * lines.c splits a line, and settings.c looks up its key. The tables of keys are in instance.c and
 * router-settings.c. instances.c merges the instances.
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
        uint64_t starting_max;               /* 0: depends on the number of processors */
        uint64_t source_prefix_ipv4;         /* bits */
        uint64_t source_prefix_ipv6;         /* bits */
        TrustedProxies trusted_proxies;
} RouterSettings;

extern const RouterSettings router_settings_default;

/* The handling of plain HTTP. */
typedef enum HttpPolicy {
        HTTP_SERVE,    /* the instance answers */
        HTTP_REDIRECT, /* the router redirects to HTTPS */
        HTTP_REFUSE,   /* the router refuses the client */
} HttpPolicy;

#define HTTP_POLICIES (HTTP_REFUSE + 1)

/* The names of the policies in Http=. */
extern const char *const http_policies[HTTP_POLICIES];

/* The network that an instance can connect to. */
typedef enum Network {
        NETWORK_NO,
        NETWORK_INTERNET, /* public addresses, except port 25 */
        NETWORK_YES,      /* everything that the machine can reach */
} Network;

#define NETWORKS (NETWORK_YES + 1)

/* The names of the networks in Network=. */
extern const char *const network_names[NETWORKS];

/* The server of an instance. */
typedef enum ServerType {
        SERVER_APACHE,
        SERVER_NGINX,
        SERVER_TYPES,
} ServerType;

/* The names of the servers in Server=. */
extern const char *const server_names[SERVER_TYPES];

/* The source of certificates in the folder of the instance. */
typedef enum TlsSource {
        TLS_FILES, /* the administrator or the customer */
        TLS_ACME,  /* bellhop-acme(8) */
} TlsSource;

#define TLS_SOURCES (TLS_ACME + 1)

/* The names of the sources in Tls=. */
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
        char *name; /* its user has the same name */
        char *file; /* path */
        bool is_default;
        unsigned default_line; /* the line of Default= in the file */
        char *canonical; /* the host to which requests for its other exact hosts are redirected;
                            NULL: no redirect */
        HttpPolicy http;
        Network network;
        ServerType server;
        TlsSource tls;
        char acme[ACME_NAME_MAX +
                  1];       /* name of the authority, whose settings are in CONFIG/acme/NAME.conf */
        bool is_suspended;  /* its clients get 503, and no program of the customer runs */
        uint64_t idle_usec; /* 0: never exit */
        MailLimits mail;    /* UINT64_MAX: as in mail.conf */
        bool is_kept; /* its file has a mistake; these are the settings from before the reload */
        bool takes_others; /* config_digest_others() sets this field and the next one */
        uint64_t others;
} Instance;

/* A mistake in a file. Programs use the fields, and never parse the text, which is for people. */
typedef struct Problem {
        char *instance;   /* the instance whose file has the mistake; the name may be invalid; NULL:
                             another file */
        char *file;       /* path */
        unsigned line;    /* from 1; 0: the file as a whole */
        bool lacks_user;  /* the instance's user does not exist */
        char *meant;      /* the suggested correction; NULL: there is none */
        char *text;       /* "FILE:LINE: what is wrong; what to do", or without ":LINE" */
        const char *what; /* the part of text after "FILE:LINE: " */
} Problem;

typedef struct Config {
        RouterSettings router;
        Instance *instances; /* sorted by name: instances without a mistake, and kept ones */
        size_t n_instances;
        uint32_t default_instance; /* ROUTE_NONE: none */
        HostMap *map; /* all routes; hosts in a file with a mistake lead to no instance */
        Problem *problems;
        size_t n_problems;
        uint64_t begun_nsec; /* when reading began, since 1970; later changes of files may be
                                missing */
        size_t n_kept;       /* instances with is_kept */
        bool settings_kept;  /* the router's settings are from before the reload */
} Config;

typedef enum ConfigUsers {
        CONFIG_USERS_CHECK,
        CONFIG_USERS_TRUST, /* early in the boot, when some users may not be available yet */
} ConfigUsers;

/*
 * Reads all files below dir; any of them may be missing. Returns 0 even if files have mistakes. A
 * negative errno has another cause, such as no memory (-ENOMEM). old: the configuration in force,
 * or NULL. If the file of an instance now has a mistake, the instance keeps its settings from old,
 * except routes that another instance has now. The router's settings are kept in the same way. Any
 * thread can call this, but only while no other thread uses the user database.
 */
int config_load(const char *dir, ConfigUsers check, const Config *old, Config **ret);

/* Reads the routes of one instance. If all hosts in NAME.conf are exact, reads only this file. If
 * not, reads all files, because another instance may have a more exact host below the wildcard.
 * Returns 0 or a negative errno. If NAME.conf does not exist or has problems, returns -ENOENT, but
 * still sets *ret. */
int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance);

/* Reads only NAME.conf, with its hosts. If the file is missing or has problems, the result has no
 * instance. */
int config_load_own(const char *dir, const char *name, Config **ret);

#define INSTANCE_IDLE_USEC_DEFAULT (UINT64_C(600) * 1000000)

/* Reads the settings of an instance from its file alone, without its name, file and canonical host.
 * If the file is missing or has problems, sets the defaults, and allows no mail. */
int config_read_instance(const char *dir, const char *name, Instance *ret);

Config *config_free(Config *config);

/*
 * Sets Instance.takes_others of each instance that is the default or has wildcards. Such an
 * instance would get some hosts of other instances, if their files did not name them. Sets
 * Instance.others to a digest of these hosts. The digest is 0 if there are no such hosts, and
 * changes when one is added or removed. Ignores the instance 'without'; ROUTE_NONE ignores no
 * instance.
 */
void config_digest_others(Config *config, uint32_t without);

typedef struct Origin {
        const Instance *instance; /* NULL: the file has a mistake */
        const char *file;         /* path */
        unsigned line;
} Origin;

/* Returns the file and line that a route of config->map comes from. */
Origin config_origin(const Config *config, uint64_t origin);

/* Returns the number of the instance with that name, or ROUTE_NONE. */
uint32_t config_find_instance(const Config *config, const char *name);

/* Whether systemd accepts the name both in User=%i and as part of a unit name. */
bool instance_name_is_valid(const char *name);
