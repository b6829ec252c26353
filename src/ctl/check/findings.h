/* SPDX-License-Identifier: MIT */
/*
 * The findings of bellhopctl check. findings-table.h has their kinds. If memory runs out, a finding
 * is lost, and n_lost counts it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define ROW(KIND, ...) FINDING_##KIND,

typedef enum FindingKind {
#include "ctl/check/findings-table.h"
        FINDING_KINDS,
} FindingKind;

#undef ROW

typedef enum Severity {
        SEVERITY_NOTE,    /* information; never changes the exit status */
        SEVERITY_WARNING, /* something will fail later, or a change is not yet in force */
        SEVERITY_ERROR,   /* clients are locked out, now or after the next boot, or a secret is
                             exposed */
        SEVERITIES,
} Severity;

#define ADVICE_APPLY       "bellhopctl apply{config}"
#define ADVICE_RELOAD      "systemctl try-reload-or-restart bellhop@{name}.service"
#define ADVICE_INSTALL     "bellhopctl cert {name} --install CERT KEY{config}"
#define ADVICE_SELF_SIGNED "bellhopctl cert {name} --self-signed{config}"
#define ADVICE_MOVE_HOME   "If they must write to it, move it to /home/{name}."

typedef struct FindingInfo {
        const char *name;
        Severity severity;
        const char *why;
        const char *advice;
} FindingInfo;

extern const FindingInfo finding_infos[FINDING_KINDS];
extern const char *const severity_names[SEVERITIES];

typedef struct Finding {
        FindingKind kind;
        Severity severity;
        char *instance; /* NULL: none */
        char *file;     /* NULL: none */
        unsigned line;  /* from 1; 0: the finding is not about one line */
        char *what;
        char *advice;                /* NULL: none */
        char *any_what, *any_advice; /* what and advice, with NAME and FILE instead of the names */
} Finding;

typedef struct Findings {
        const char *config_dir; /* the folder for the option that replaces {config}; NULL: the usual
                                   folder */
        Finding *findings;
        size_t n;
        size_t n_lost;
} Findings;

typedef struct Place {
        const char *instance;
        const char *file;
        unsigned line;
} Place;

#define NOWHERE ((Place){ .line = 0 })

/*
 * Adds a finding. advice: replaces the usual advice of this kind; NULL: keeps it. Control
 * characters in texts become question marks. Returns the finding, or NULL if memory runs out. The
 * pointer is valid until the next finding is added.
 */
Finding *finding_add(Findings *findings, FindingKind kind, Place place, const char *advice,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
void findings_done(Findings *findings);

/* Sorts the findings by severity, the worst first. Findings of the same severity stay in the order
 * in which they were added. strict: turns warnings into errors. Call this after all findings are
 * added. */
void findings_finish(Findings *findings, bool strict);

/* Whether both findings are about instances, and differ only in the names of instance and file. */
bool findings_are_alike(const Finding *a, const Finding *b);

/* Keeps only the findings of one instance. */
void findings_keep(Findings *findings, const char *instance);

bool findings_have_error(const Findings *findings, const char *instance);
size_t findings_count(const Findings *findings, Severity severity);
