/* SPDX-License-Identifier: MIT */
/*
 * Facts about its configuration that a server reports to programs during a test: one record for
 * each fact, and a final record after them. The customer's own code may write in between, so the
 * output is as untrusted as the customer. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Makes Apache report facts. If standard input is a file, it contains paths of folders, each ended
 * by NUL. The .htaccess files in these folders are also checked. */
#define VERDICT_DEFINE "BELLHOP_JUDGE"

/* The maximum of shown files. The files nearest to the first page are shown. */
#define VERDICT_HTACCESS_MAX 10

typedef enum VerdictKind {
        VERDICT_END,
        VERDICT_HTACCESS, /* what: why clients get an error from the file */
        VERDICT_MORE,     /* line: the number of .htaccess files beyond VERDICT_HTACCESS_MAX */
        VERDICT_NAME,     /* a rule by the names of clients; what: the directive */
        VERDICT_LISTEN,   /* a Listen without effect; what: its arguments */
        VERDICT_TARGET,   /* what: a URL, or unix:PATH|URL, to which requests are passed */
        VERDICT_KINDS,
} VerdictKind;

typedef struct Verdict {
        VerdictKind kind;
        unsigned line; /* 0: the file as a whole */
        char *file;    /* NULL at the end */
        char *what;
} Verdict;

/* Writes a record. First replaces the characters of file and what that could harm a terminal. */
void verdict_write(FILE *out, const Verdict *verdict);

/* Removes the records from text, and calls found() for each, up to the final record. Returns
 * whether there was a final record. */
bool verdict_read(char *text, void (*found)(const Verdict *verdict, void *userdata),
                  void *userdata);
