/* SPDX-License-Identifier: MIT */
/* What was asked for on the command line, and how verbs answer. */
#pragma once

#include <stdbool.h>

/* Exit statuses; 0 is fine. */
typedef enum CtlStatus {
        CTL_FINE,
        CTL_FAILED, /* or something was found to be wrong */
        CTL_USAGE,
} CtlStatus;

typedef struct Ctl {
        const char *config_dir;
        const char *runtime_dir;
        bool json;
        bool no_legend;
        bool no_pager;
        bool strict;      /* check */
        bool self_signed; /* cert */
        bool force;       /* cert */
} Ctl;

/* Verbs take what stands behind their name, and say themselves what is wrong. Each has a file. */
CtlStatus verb_check(const Ctl *ctl, char *arguments[]);
CtlStatus verb_cert(const Ctl *ctl, char *arguments[]);
CtlStatus verb_metrics(const Ctl *ctl, char *arguments[]);
