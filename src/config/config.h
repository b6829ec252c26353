/* SPDX-License-Identifier: MIT */
/*
 * Reads the settings of the router and the files of all instances: router.conf,
 * router.conf.d/X.conf and instances/NAME.conf in the configuration folder DIR. No other place has
 * these settings, and all programs read the files with this code. The code does not log. It reports
 * each mistake as a Problem. A mistake in the file of an instance affects only that instance.
 *
 * lines.c splits a line into key and value, and settings.c looks up the key in a table. The tables
 * are in instance.c and router-settings.c. instances.c merges the routes of all instances.
 */
#pragma once

#include "route/hostmap.h"
#include "util/address.h"

#define CONFIG_FILE_MAX_BYTES (64U * 1024 * 1024)

#define TRUSTED_PROXIES_MAX 256

/* The proxies that the router trusts to name the client in a PROXY header. */
typedef struct TrustedProxies {
        struct TrustedPrefix {
                struct in6_addr ip;
                unsigned bits;
        } prefixes[TRUSTED_PROXIES_MAX];
        size_t n;
} TrustedProxies;

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer);

/* The settings of bellhop.router.conf(5). */
typedef struct RouterSettings {
        uint64_t sniff_timeout_usec;
        uint64_t sniff_max_bytes;
        uint64_t handoff_timeout_usec;
        uint64_t pending_max;
        uint64_t pending_max_per_instance;
        uint64_t in_flight_max_per_instance; /* 0: the limit is a share of RLIMIT_NOFILE */
        uint64_t pending_max_per_source;     /* 0: no limit */
        uint64_t starting_max;               /* 0: the limit depends on the number of processors */
        uint64_t source_prefix_ipv4;         /* length in bits */
        uint64_t source_prefix_ipv6;         /* length in bits */
        TrustedProxies trusted_proxies;
} RouterSettings;

extern const RouterSettings router_settings_default;

/* How requests over plain HTTP are handled. */
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

/* The source of the certificates in DIR/tls/NAME. */
typedef enum TlsSource {
        TLS_FILES, /* the administrator or the customer installs them */
        TLS_ACME,  /* bellhop-acme(8) gets them */
} TlsSource;

#define TLS_SOURCES (TLS_ACME + 1)

/* The names of the sources in Tls=. */
extern const char *const tls_source_names[TLS_SOURCES];

#define ACME_NAME_MAX     31
#define ACME_NAME_DEFAULT "default"

/* The limits of bellhop-mail(8) for one customer. */
typedef struct MailLimits {
        uint64_t per_hour, per_day;
        uint64_t recipients_per_day;
} MailLimits;

/* An instance, with the settings of bellhop.instance(5). */
typedef struct Instance {
        char *name; /* also the name of its user */
        char *file; /* the path of its file */
        bool is_default;
        unsigned default_line; /* the line of Default= in the file */
        char *canonical; /* the host to which requests for its other exact hosts are redirected;
                            NULL: no redirect */
        HttpPolicy http;
        Network network;
        ServerType server;
        TlsSource tls;
        char acme[ACME_NAME_MAX +
                  1];       /* the authority: the name of its file in DIR/acme, without .conf */
        bool is_suspended;  /* its clients get 503, and no program of the customer runs */
        uint64_t idle_usec; /* 0: never exit */
        MailLimits mail;    /* UINT64_MAX in a field: mail.conf has the limit */
        bool is_kept;       /* its file now has a mistake, so these are the settings from before the
                               reload */
        /* config_digest_others() sets these. */
        bool takes_unknown; /* it can get requests for hosts without a route */
        bool takes_others;  /* it can get requests for hosts of other instances */
        uint64_t others;
} Instance;

/* A mistake in a file. The field text is for people: programs use the other fields and never parse
 * it. */
typedef struct Problem {
        char *instance;   /* the instance whose file has the mistake, perhaps an invalid name; NULL:
                             the mistake is in another kind of file */
        char *file;       /* path */
        unsigned line;    /* from 1; 0: the mistake is not in one line */
        bool lacks_user;  /* the instance's user does not exist */
        char *meant;      /* a suggested correction; NULL: there is none */
        char *text;       /* "FILE:LINE: what is wrong; what to do", or without ":LINE" */
        const char *what; /* the part of text after "FILE:LINE: " */
} Problem;

typedef struct Config {
        RouterSettings router;
        Instance *instances; /* sorted by name: those without a mistake in their file, and those
                                with is_kept */
        size_t n_instances;
        uint32_t default_instance; /* ROUTE_NONE: there is none */
        HostMap *map; /* all routes; if a mistake excludes an instance, its hosts lead to no
                         instance */
        Problem *problems;
        size_t n_problems;
        uint64_t begun_nsec; /* when reading began, in nanoseconds since 1970; later changes of
                                files may be missing */
        size_t n_kept;       /* the number of instances with is_kept */
        bool settings_kept;  /* the router's settings are from before the reload */
} Config;

typedef enum ConfigUsers {
        CONFIG_USERS_CHECK,
        CONFIG_USERS_TRUST, /* a user may be missing: early in the boot, not all users are available
                               yet */
} ConfigUsers;

/*
 * Reads the router's settings and the files of all instances; any of these files may be missing.
 * Returns 0 even if files have mistakes, or a negative errno for another error, such as -ENOMEM.
 * old: the configuration in force, or NULL. If the file of an instance now has a mistake, the
 * instance keeps its settings from old, except routes that another instance has now. If a file of
 * the router has a mistake, all settings of the router are taken from old. Any thread can call
 * this, but only while no other thread uses the user database.
 */
int config_load(const char *dir, ConfigUsers check, const Config *old, Config **ret);

/* Reads the files that affect the routes of one instance. If all hosts in NAME.conf are exact, this
 * is only NAME.conf. If NAME.conf has a wildcard or Default=yes, these are the files of all
 * instances, because another instance may have a more exact host. Returns 0 or a negative errno. If
 * NAME.conf does not exist or has problems, returns -ENOENT, but still sets *ret. */
int config_load_instance(const char *dir, const char *name, Config **ret, uint32_t *ret_instance);

/* Reads only NAME.conf. If the file is missing or has problems, *ret has no instance. */
int config_load_own(const char *dir, const char *name, Config **ret);

#define INSTANCE_IDLE_USEC_DEFAULT (UINT64_C(600) * 1000000)

/* Reads the settings in NAME.conf, but sets name, file and canonical of *ret to NULL. If the file
 * is missing or has problems, sets the defaults, but allows no mail. */
int config_read_instance(const char *dir, const char *name, Instance *ret);

Config *config_free(Config *config);

/*
 * Sets takes_unknown of each instance that is the default or has addresses, and takes_others of
 * these and of each instance that has wildcards. Hosts in the files of other instances are
 * exceptions from Default=yes, from addresses and from wildcards: b.a.example, for example, is an
 * exception from *.a.example. For each instance, sets "others" to a digest of these exceptions, or
 * to 0 if there are none. The digest changes when such a host is added or removed. without: the
 * number of an instance whose routes are ignored, or ROUTE_NONE to ignore none.
 */
void config_digest_others(Config *config, uint32_t without);

typedef struct Origin {
        const Instance *instance; /* NULL: none has the route, because the file has a mistake */
        const char *file;         /* path */
        unsigned line;
} Origin;

/* Returns the file and line that a route of config->map comes from. */
Origin config_origin(const Config *config, uint64_t origin);

/* Returns the index of the instance in config->instances, or ROUTE_NONE. */
uint32_t config_find_instance(const Config *config, const char *name);

/* Whether systemd accepts the name both in User=%i and as part of a unit name. */
bool instance_name_is_valid(const char *name);
