/* SPDX-License-Identifier: MIT */
/*
 * What bellhopctl check has found. One table has each kind of finding with its id, which programs
 * rely on, its severity, why it matters and what to do; bellhopctl(1) explains them. Adding can't
 * fail: without memory, n_lost counts.
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
        SEVERITY_NOTE,    /* worth knowing; never changes the exit status */
        SEVERITY_WARNING, /* will be wrong, or is not yet in force */
        SEVERITY_ERROR,   /* keeps visitors out, now or after the next boot, or opens a secret */
        SEVERITIES,
} Severity;

/*
 * Advice is a command of ours or systemd's as it is typed, or sentences, which begin with a capital
 * letter. Root may follow it whatever a customer does meanwhile in folders that the customer owns:
 * what changes files there runs as the customer. {name}, {file} and {config} stand for the
 * instance, the file and a --config= that is needed.
 */
#define ADVICE_APPLY       "bellhopctl apply{config}"
#define ADVICE_RELOAD      "systemctl try-reload-or-restart bellhop@{name}.service"
#define ADVICE_SELF_SIGNED "bellhopctl cert {name} --self-signed --force{config}"

typedef struct FindingInfo {
        const char *name;
        Severity severity;
        const char *why;
        const char *advice; /* NULL: nothing has to be done */
} FindingInfo;

extern const FindingInfo finding_infos[FINDING_KINDS];
extern const char *const severity_names[SEVERITIES];

typedef struct Finding {
        FindingKind kind;
        Severity severity;
        char *instance; /* NULL: none */
        char *file;     /* NULL: none */
        unsigned line;  /* from 1; 0: the file as a whole */
        char *what;
        char *advice; /* NULL: none */
} Finding;

typedef struct Findings {
        const char *config_dir; /* for {config}; NULL: the usual one */
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
 * advice: in place of the kind's own; NULL: that one. Control characters become question marks.
 * Returns the finding, valid until the next one is added; NULL: lost.
 */
Finding *finding_add(Findings *findings, FindingKind kind, Place place, const char *advice,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
void findings_done(Findings *findings);

/* Makes errors of warnings. */
void findings_be_strict(Findings *findings);

/* By severity, worst first; else in the order in which they were added. None is added later. */
void findings_sort(Findings *findings);
bool findings_have_error(const Findings *findings, const char *instance);
size_t findings_count(const Findings *findings, Severity severity);
