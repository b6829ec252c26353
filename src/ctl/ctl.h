/* SPDX-License-Identifier: MIT */
/* What was asked for on the command line, and how verbs answer. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A number that nobody could say. */
#define UNKNOWN UINT64_MAX

/* Exit statuses; 0 is fine. */
typedef enum CtlStatus {
        CTL_FINE,
        CTL_FAILED, /* or something was found to be wrong */
        CTL_USAGE,
} CtlStatus;

#define OPTION_LIST_MAX 256

/* Of an option that can be given several times. */
typedef struct OptionList {
        const char *items[OPTION_LIST_MAX];
        size_t n;
} OptionList;

typedef struct Ctl {
        const char *config_dir;
        const char *runtime_dir;
        bool json;
        bool no_legend;
        bool no_pager;
        bool strict;          /* check */
        bool self_signed;     /* cert, add */
        bool force;           /* cert */
        bool dry_run;         /* add, remove, apply */
        bool purge;           /* remove */
        bool yes;             /* remove */
        bool offline;         /* route */
        bool only_tls;        /* route */
        bool only_http;       /* route */
        const char *count;    /* top; NULL: for ever */
        const char *delay;    /* top */
        OptionList hosts;     /* add, as the rest */
        OptionList addresses; /* Address= */
        const char *http;     /* Http=; NULL as for all of them: not given */
        const char *idle;     /* IdleSec= */
        bool is_default;
        bool network;
        bool create_user;
} Ctl;

/* Verbs take what stands behind their name, and say themselves what is wrong. Each has a file. */
CtlStatus verb_list(const Ctl *ctl, char *arguments[]);
CtlStatus verb_status(const Ctl *ctl, char *arguments[]);
CtlStatus verb_top(const Ctl *ctl, char *arguments[]);
CtlStatus verb_route(const Ctl *ctl, char *arguments[]);
CtlStatus verb_add(const Ctl *ctl, char *arguments[]);
CtlStatus verb_remove(const Ctl *ctl, char *arguments[]);
CtlStatus verb_apply(const Ctl *ctl, char *arguments[]);
CtlStatus verb_check(const Ctl *ctl, char *arguments[]);
CtlStatus verb_cert(const Ctl *ctl, char *arguments[]);
CtlStatus verb_metrics(const Ctl *ctl, char *arguments[]);
