/* SPDX-License-Identifier: MIT */
/* The last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef struct JournalLine {
        uint64_t usec; /* since 1970 */
        char *text;    /* of a refusal: reason, host and client; else who says what */
} JournalLine;

typedef struct JournalLines {
        JournalLine *lines; /* the oldest first */
        size_t n;
} JournalLines;

/* What the router has refused for it. */
int journal_refusals(const char *instance, size_t max, JournalLines *ret);

/* What its server, systemd and the router say, without the log of requests. */
int journal_lines(const char *instance, size_t max, JournalLines *ret);
void journal_lines_done(JournalLines *lines);
