/* SPDX-License-Identifier: MIT */
/*
 * During a test of its configuration, a server reports facts about the configuration to bellhopctl.
 * It writes one record for each fact, and then a final record, to standard output. The customer's
 * code may also write to standard output, so the output is as untrusted as the customer.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Apache reports facts if it is started with the option -D and this name. If standard input is a
 * file, it contains paths of folders, each followed by a NUL, and Apache also checks the .htaccess
 * files in these folders. */
#define VERDICT_DEFINE "BELLHOP_JUDGE"

/* At most this number of .htaccess files are reported: those nearest to the document root. */
#define VERDICT_HTACCESS_MAX 10

typedef enum VerdictKind {
        VERDICT_END,
        VERDICT_HTACCESS, /* an .htaccess file with a mistake; what: why clients get an error */
        VERDICT_MORE,     /* line: the number of .htaccess files beyond VERDICT_HTACCESS_MAX */
        VERDICT_NAME,     /* a rule that uses the DNS names of clients; what: the directive */
        VERDICT_LISTEN,   /* a Listen directive that has no effect; what: its arguments */
        VERDICT_TARGET,   /* what: a URL, or unix:PATH|URL, to which requests are passed */
        VERDICT_KINDS,
} VerdictKind;

typedef struct Verdict {
        VerdictKind kind;
        unsigned line; /* 0: the fact is about the whole file */
        char *file;    /* NULL in the final record */
        char *what;
} Verdict;

/* In verdict->file and verdict->what, replaces the characters that could harm a terminal. Then
 * writes a record. */
void verdict_write(FILE *out, const Verdict *verdict);

/* Removes the records from text, up to the final record, and calls found() for each fact. Returns
 * whether there was a final record. */
bool verdict_read(char *text, void (*found)(const Verdict *verdict, void *userdata),
                  void *userdata);
