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
        bool is_needed; /* all instances use it; other units may be masked on purpose */
} MachineUnit;

extern const MachineUnit machine_units[];
extern const size_t n_machine_units;

typedef struct Check {
        const Ctl *ctl;
        Config *config;
        Hosts *hosts; /* one for each instance */
        Findings findings;
        X509_STORE *store; /* the authorities that this machine trusts */
        sd_bus *bus;       /* NULL: there is no systemd to ask */
        Units units;       /* all units whose names begin with bellhop */
        OomKills oom;      /* kills in the last hours */
        time_t now;
        uint64_t loaded;     /* when the router read its files, as in stale.h */
        int router_error;    /* why loaded is unknown */
        uint64_t files_max;  /* the maximum number of files to look at in each document root */
        size_t n_needs_root; /* the number of checks that only root can make */
        size_t n_silent; /* the number of running instances that do not report when they read their
                            files */
} Check;

/* The file that changed last, of those given to newest_note(). changed: the time of the change, as
 * in stale.h; 0: there is no file. */
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
        char tls[PATH_MAX]; /* its folders in the configuration */
        char snippets[PATH_MAX];
        char www[PATH_MAX];            /* its document root, unless a snippet sets another one */
        char own_folders[2][PATH_MAX]; /* the parent folders of tls and snippets */
        const char *replaced[6];       /* folders that the sandbox replaces, for access_ask() */
        size_t n_snippets;
        size_t n_of_server; /* the number of snippets other than php.fpm */
        bool has_error; /* an earlier check has reported an error with more detail than the server
                           would */
        bool has_credentials; /* systemd passes certificate and key to it */
        bool snippets_unreadable;
        bool snippets_not_roots; /* a user other than root can change them; reported only once */
        bool sets_document_root; /* a snippet sets the document root */
        bool sets_certificate;   /* a snippet sets a certificate, for some of the hosts */
        bool sets_handler;       /* a snippet sets a handler, perhaps for PHP */
        char **roots;            /* document roots that snippets set */
        size_t n_roots;
        AcmeState acme;                            /* the state of its certificate, with Tls=acme */
        bool knows_acme;                           /* that state was readable */
        bool self_signed;                          /* its certificate is self-signed */
        time_t certificate_begin, certificate_end; /* the validity of its certificate; 0: unknown */
        char *htaccess; /* folders with a .htaccess file, each ended by NUL */
        size_t htaccess_size;
        Newest newest; /* the newest of the files that the instance reads at its start */
} InstanceCheck;

/* Like finding_add(), for this instance. file: NULL for none. */
#define instance_finding(inst, kind, file, ...) \
        finding_add(&(inst)->check->findings, kind, (Place){ (inst)->name, file, 0 }, __VA_ARGS__)

/* Adds a finding that the instance's user can't read path, with the reason. */
void instance_add_closed(InstanceCheck *inst, FindingKind kind, const char *path,
                         const char *advice, const Access *access);

/* Checks the configuration's files and folders. */
void check_config(Check *check);

/* Reports the files in a folder that are ignored because their names don't end with .conf. */
void check_names(Check *check, const char *folder);

/* Check bellhop's units, the running router, and its ports. Call units_ask() first. */
void units_ask(Check *check);
void check_router_units(Check *check);
void check_ports(Check *check);

/* Whether a program listens on that port, on IPv4 or IPv6; true also if this is unknown. */
bool port_is_taken(uint16_t number);

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

/* Advice for an instance with Network=no if a snippet names a server or an address. */
extern const char *const instance_target_advice[SERVER_TYPES];

/* Like instance_check_target(), for nginx. text: an address, perhaps after a scheme. Ignores names
 * other than localhost: they are names of upstream groups, or nginx itself looks them up when it
 * starts. */
void instance_check_nginx_target(InstanceCheck *inst, const char *file, unsigned line,
                                 const char *text);
