/* SPDX-License-Identifier: MIT */
/*
 * What has been found to be wrong. Each kind has a name that programs can rely on, a severity, and
 * the reason why it matters, all in one table; bellhopctl(1) explains them. Adding can't fail:
 * without memory, n_lost says so.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum FindingKind {
        FINDING_CONFIG_ERROR,
        FINDING_SETTINGS_ERROR,
        FINDING_FOLDER_WRITABLE,
        FINDING_SHARED_UID,
        FINDING_IDLE_TOO_SHORT,
        FINDING_NETWORK_NOT_CLOSED,
        FINDING_REDIRECT_WITHOUT_TLS,
        FINDING_NO_TLS,
        FINDING_CERTIFICATE_MISSING,
        FINDING_CERTIFICATE_UNREADABLE,
        FINDING_CERTIFICATE_INVALID,
        FINDING_CERTIFICATE_EXPIRED,
        FINDING_CERTIFICATE_EXPIRES,
        FINDING_CERTIFICATE_NOT_YET_VALID,
        FINDING_CERTIFICATE_WEAK,
        FINDING_CERTIFICATE_LACKS_HOST,
        FINDING_CHAIN_ORDER,
        FINDING_CHAIN_INCOMPLETE,
        FINDING_CHAIN_UNTRUSTED,
        FINDING_SELF_SIGNED,
        FINDING_KEY_EXPOSED,
        FINDING_KEY_ENCRYPTED,
        FINDING_KEY_MISMATCH,
        FINDING_DOCUMENT_ROOT_MISSING,
        FINDING_DOCUMENT_ROOT_UNREADABLE,
        FINDING_DOCUMENT_ROOT_WRITABLE,
        FINDING_SNIPPET_ERROR,
        FINDING_TARGET_NOT_ENABLED,
        FINDING_ROUTER_NOT_LISTENING,
        FINDING_ROUTER_FAILED,
        FINDING_ROUTER_NOT_RELOADED,
        FINDING_SOCKET_NOT_STARTED,
        FINDING_SOCKET_LEFT_OVER,
        FINDING_SITE_FAILED,
        FINDING_SITE_NOT_RELOADED,
        FINDING_PORT_TAKEN,
        FINDING_WEB_SERVER_ENABLED,
        FINDING_QUEUE_TOO_SHORT,
        FINDING_NOT_CHECKED,
        FINDING_KINDS,
} FindingKind;

typedef enum Severity {
        SEVERITY_NOTE,    /* to be known; never changes the exit status */
        SEVERITY_WARNING, /* will be wrong, or is not yet in force */
        SEVERITY_ERROR, /* visitors are not served, now or after the next boot, or a secret is open
                         */
        SEVERITIES,
} Severity;

typedef struct FindingInfo {
        const char *name;
        Severity severity;
        const char *why;
} FindingInfo;

extern const FindingInfo finding_infos[FINDING_KINDS];
extern const char *const severity_names[SEVERITIES];

typedef struct Finding {
        FindingKind kind;
        Severity severity;
        char *instance; /* NULL: of none */
        char *file;     /* NULL: in none */
        unsigned line;  /* 0: as a whole */
        char *what;
        char *cure; /* a command; NULL: there is none */
} Finding;

typedef struct Findings {
        Finding *findings;
        size_t n;
        size_t room;
        size_t n_lost;
} Findings;

typedef struct Place {
        const char *instance;
        const char *file;
        unsigned line;
} Place;

/* cure: from command(), and taken; NULL when there is none. Returns what was added, good until the
 * next one; NULL: lost. What comes from files is made harmless for terminals. */
Finding *finding_add(Findings *findings, FindingKind kind, Place place, char *cure,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
void findings_done(Findings *findings);

/* Warnings become errors. */
void findings_be_strict(Findings *findings);

/* By severity, worst first; else in the order in which they were found. */
void findings_sort(Findings *findings);
bool findings_have_error(const Findings *findings, const char *instance);
size_t findings_count(const Findings *findings, Severity severity);
