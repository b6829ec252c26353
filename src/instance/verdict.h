/* SPDX-License-Identifier: MIT */
/*
 * What a server says of its own configuration while it tests that, for programs: a record for each
 * thing, and at the end one that says that all has been judged. The customer's own code may speak
 * in between, so what is read is as hostile as they are. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Apache is told by this to judge, and standard input, if it is a file, names folders whose
 * .htaccess files are to be judged, too, each ended by NUL. */
#define VERDICT_DEFINE "BELLHOP_JUDGE"

/* So many of them are shown, those nearest to the first page. */
#define VERDICT_HTACCESS_MAX 10

typedef enum VerdictKind {
        VERDICT_END,
        VERDICT_HTACCESS, /* what: why visitors get an error from the file */
        VERDICT_MORE,     /* line: the number of .htaccess files beyond VERDICT_HTACCESS_MAX */
        VERDICT_NAME,     /* a rule by the names of clients; what: the directive */
        VERDICT_LISTEN,   /* a Listen without effect; what: its arguments */
        VERDICT_TARGET,   /* what: a URL, or unix:PATH|URL, that requests are passed on to */
        VERDICT_KINDS,
} VerdictKind;

typedef struct Verdict {
        VerdictKind kind;
        unsigned line; /* 0: the file as a whole */
        char *file;    /* NULL at the end */
        char *what;
} Verdict;

/* Changes file and what where they have characters that are not to be shown. */
void verdict_write(FILE *out, const Verdict *verdict);

/* Takes all records out of a text; calls found() for each, until the end. Whether there was an
 * end. */
bool verdict_read(char *text, void (*found)(const Verdict *verdict, void *userdata),
                  void *userdata);
