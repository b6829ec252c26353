/* SPDX-License-Identifier: MIT */
/*
 * The command line of bellhopctl, and the exit statuses of its verbs. bellhopctl has no state of
 * its own. It reads the same files as the router, with the same code. It asks systemd for the state
 * of units, and the router for its metrics and routes. It changes only files and the state of
 * units. verbs.c has tables of all verbs and options; each verb is in a file verb-NAME.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The value of a number that is unknown. */
#define UNKNOWN UINT64_MAX

/* Exit statuses. CTL_FINE is 0. */
typedef enum CtlStatus {
        CTL_FINE,
        CTL_FAILED, /* the verb failed, or found a mistake */
        CTL_USAGE,
} CtlStatus;

#define WWW_DIR "/srv/www"

#define SETTINGS_MAX 512

/* The options, in the order in which --help lists them. Each comment begins with the verbs that
 * have the option. */
typedef struct Ctl {
        const char *state, *sort;          /* list; NULL: not given */
        const char *month;                 /* usage; NULL: all months, "": the present month */
        bool only_tls, only_http, offline; /* route */
        struct {
                const char *key, *value; /* "Host", "alice.example" */
        } settings[SETTINGS_MAX];        /* add, set, in the order of the command line */
        size_t n_settings;
        bool create_user;          /* add */
        bool later;                /* add */
        bool wait;                 /* add, set: wait for the certificate */
        const char *apache;        /* import; "": Debian's path, NULL: not given */
        const char *network;       /* import; "": yes, NULL: not given */
        const char *acme;          /* import; "": the default authority, NULL: not given */
        bool dry_run;              /* all verbs that change something */
        bool purge, yes;           /* remove; rename has only yes */
        const char *count, *delay; /* top; NULL: not given */
        bool strict;               /* check */
        const char *instance;      /* check; NULL: all */
        const char *files;         /* check; NULL: not given */
        bool self_signed;          /* cert, add */
        bool force, install;       /* cert */
        bool request, renew;       /* cert */
        bool json, no_legend, no_pager;
        const char *config_dir, *runtime_dir, *usage_dir, *mail_dir, *acme_dir;
} Ctl;

/* A verb gets the words that follow its name on the command line, and prints its errors. */
CtlStatus verb_list(const Ctl *ctl, char *arguments[]);
CtlStatus verb_status(const Ctl *ctl, char *arguments[]);
CtlStatus verb_top(const Ctl *ctl, char *arguments[]);
CtlStatus verb_route(const Ctl *ctl, char *arguments[]);
CtlStatus verb_add(const Ctl *ctl, char *arguments[]);
CtlStatus verb_set(const Ctl *ctl, char *arguments[]);
CtlStatus verb_export(const Ctl *ctl, char *arguments[]);
CtlStatus verb_import(const Ctl *ctl, char *arguments[]);
CtlStatus verb_remove(const Ctl *ctl, char *arguments[]);
CtlStatus verb_rename(const Ctl *ctl, char *arguments[]);
CtlStatus verb_suspend(const Ctl *ctl, char *arguments[]);
CtlStatus verb_resume(const Ctl *ctl, char *arguments[]);
CtlStatus verb_apply(const Ctl *ctl, char *arguments[]);
CtlStatus verb_check(const Ctl *ctl, char *arguments[]);
CtlStatus verb_cert(const Ctl *ctl, char *arguments[]);
CtlStatus verb_metrics(const Ctl *ctl, char *arguments[]);
CtlStatus verb_usage(const Ctl *ctl, char *arguments[]);
