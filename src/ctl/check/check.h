/* SPDX-License-Identifier: MIT */
/* Data and functions that the parts of bellhopctl check share. Each part adds its findings. */
#pragma once

#include <limits.h>
#include <openssl/x509.h>

#include "acme/state.h"
#include "config/config.h"
#include "config/names.h"
#include "ctl/ask/access.h"
#include "ctl/ask/bus.h"
#include "ctl/ask/hosts.h"
#include "ctl/ask/oom.h"
#include "ctl/ask/stale.h"
#include "ctl/check/findings.h"
#include "ctl/ctl.h"

/* The units of bellhop that belong to no instance. */
typedef struct MachineUnit {
        const char *name;
        bool is_needed; /* all instances use it, so it must not be masked */
} MachineUnit;

extern const MachineUnit machine_units[];
extern const size_t n_machine_units;

typedef struct Check {
        const Ctl *ctl;
        Config *config;
        Hosts *hosts; /* an array with the hosts of each instance */
        Findings findings;
        X509_STORE *store; /* the authorities that this machine trusts */
        sd_bus *bus;       /* NULL: there is no systemd to ask */
        Units units;       /* all units whose names begin with bellhop */
        OomKills oom;      /* programs that were killed in the last hours because memory ran out */
        time_t now;
        uint64_t loaded;     /* when the router began to read its files; UNKNOWN, or a time as in
                                stale.h */
        int router_error;    /* a negative errno: why loaded is UNKNOWN */
        uint64_t files_max;  /* the maximum number of files to look at in each document root */
        size_t n_needs_root; /* the number of checks that were not made, because only root can make
                                them */
        size_t n_silent; /* the number of running instances that do not report when they read their
                            files */
} Check;

/* The file that changed last, of all files that were given to newest_note(). changed: the time of
 * the change, as in stale.h; 0: there is no file. */
typedef struct Newest {
        uint64_t changed;
        char path[PATH_MAX];
} Newest;

void newest_note(Newest *newest, const char *path, uint64_t changed);

/* One instance during its check. */
typedef struct InstanceCheck {
        Check *check;
        const Instance *instance;
        const char *name;
        const Hosts *hosts;
        Identity user;
        char tls[PATH_MAX];            /* its folder of certificates */
        char snippets[PATH_MAX];       /* its folder of snippets */
        char www[PATH_MAX];            /* its document root, unless a snippet sets another one */
        char own_folders[2][PATH_MAX]; /* the parent folders of tls and snippets */
        const char *replaced[6];       /* folders that the sandbox replaces, as in access_ask() */
        size_t n_snippets;
        size_t n_of_server;   /* the number of snippets other than php.fpm */
        bool has_error;       /* an earlier check has reported an error, which the server's test may
                                 report again */
        bool has_credentials; /* systemd passes certificate and key to it as credentials */
        bool snippets_unreadable;
        bool snippets_not_roots; /* users other than root can change a snippet; this is reported
                                    only once */
        bool sets_document_root; /* because of a snippet, the usual document root may be missing */
        bool sets_certificate;   /* a snippet sets a certificate, perhaps only for some hosts */
        bool sets_handler;       /* a snippet sets a handler, perhaps for PHP */
        char **roots;            /* document roots that snippets set */
        size_t n_roots;
        AcmeState acme;                            /* the state of its certificate, with Tls=acme */
        bool knows_acme;                           /* acme was readable */
        bool self_signed;                          /* its certificate is self-signed */
        time_t certificate_begin, certificate_end; /* the validity of its certificate; 0: unknown */
        char *htaccess; /* paths of folders with a .htaccess file, each followed by NUL */
        size_t htaccess_size;
        size_t n_secrets;        /* the number of files with passwords that every user can read */
        uint64_t pages_end_nsec; /* when the check of its pages ends, even if it is not complete; a
                                    time of CLOCK_MONOTONIC */
        Newest newest;           /* the file that changed last, of those that the instance reads */
} InstanceCheck;

/* Does the same as finding_add(), for the instance that inst checks. file: NULL for none. */
#define instance_finding(inst, kind, file, ...) \
        finding_add(&(inst)->check->findings, kind, (Place){ (inst)->name, file, 0 }, __VA_ARGS__)

/* Adds a finding with the reason why the instance's user can't read the file at path. */
void instance_add_closed(InstanceCheck *inst, FindingKind kind, const char *path,
                         const char *advice, const Access *access);

/* Checks the configuration's files and folders. */
void check_config(Check *check);

/* Reports each file that is ignored because its name does not end with .conf. */
void check_names(Check *check, const char *folder);

/* Check bellhop's units, the running router, and its ports. Call units_ask() first. */
void units_ask(Check *check);
void check_router_units(Check *check);
void check_ports(Check *check);

/* Whether a program listens on the port, over IPv4 or IPv6. If this is unknown, returns true. */
bool port_is_taken(uint16_t number);

/* Checks whether the file systems that bellhop writes to are full. */
void check_disk(Check *check);

/* Checks the settings that administrators made for units of bellhop. */
void check_dropins(Check *check);

/* Checks, once for all instances, whether bellhop-acme can work. */
void check_acme_service(Check *check);

/* These functions check one instance. Call them in this order. */
void snippets_look(InstanceCheck *inst);
void acme_look(InstanceCheck *inst);
void check_tls(InstanceCheck *inst);
void check_acme(InstanceCheck *inst);
void check_document_root(InstanceCheck *inst);
void check_pages(InstanceCheck *inst);
void check_server(InstanceCheck *inst);
void check_instance_units(InstanceCheck *inst);

/* Checks whether the instance can reach the application that a line of a snippet for Apache names.
 * text: a URL, or unix:PATH|URL. */
void instance_check_target(InstanceCheck *inst, const char *file, unsigned line, const char *text);

/* The advice if a snippet names a server or an address, but the instance has Network=no. */
extern const char *const instance_target_advice[SERVER_TYPES];

/* Does the same as instance_check_target() for a line of a snippet for nginx. text: an address,
 * perhaps after a scheme. Ignores host names other than localhost: such a name can be that of an
 * upstream group, and nginx itself reports names that it can't look up. */
void instance_check_nginx_target(InstanceCheck *inst, const char *file, unsigned line,
                                 const char *text);
