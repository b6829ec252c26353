/* SPDX-License-Identifier: MIT */
/*
 * The command line, and how verbs answer. bellhopctl has no state and can't command the router: it
 * reads the same files with the same code, asks systemd over D-Bus and the router for its metrics,
 * and changes files and the state of units. verbs.c has tables of all verbs and options; each verb
 * is a file verb-NAME.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An unknown number. */
#define UNKNOWN UINT64_MAX

/* Exit statuses; 0 is fine. */
typedef enum CtlStatus {
        CTL_FINE,
        CTL_FAILED, /* it failed, or a mistake was found */
        CTL_USAGE,
} CtlStatus;

#define WWW_DIR "/srv/www"

#define SETTINGS_MAX 512

/* The options, in the order in which --help lists them. */
typedef struct Ctl {
        const char *state, *sort;          /* list; NULL: not given */
        const char *month;                 /* usage; NULL: all, "": this one */
        bool only_tls, only_http, offline; /* route */
        struct {
                const char *key, *value; /* "Host", "alice.example" */
        } settings[SETTINGS_MAX];        /* add, set, in the order of the command line */
        size_t n_settings;
        bool create_user;
        bool later;                /* add */
        bool wait;                 /* add, set: wait for the certificate */
        const char *apache;        /* import; "": Debian's path, NULL: not given */
        const char *network;       /* import; "": yes, NULL: not given */
        const char *acme;          /* import; "": the default authority, NULL: not given */
        bool dry_run;              /* all verbs that change something */
        bool purge, yes;           /* remove, and yes for rename */
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

/* Verbs get the words after their name, and print errors. Each verb has its own file. */
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
