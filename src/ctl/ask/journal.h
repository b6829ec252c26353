/* SPDX-License-Identifier: MIT */
/* The last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct JournalLine {
        uint64_t usec; /* since 1970 */
        char *text;    /* printable */
} JournalLine;

typedef struct JournalLines {
        JournalLine *lines; /* the oldest first */
        size_t n;
} JournalLines;

/* The last ones, at most max. refusals: what the router has refused for the instance, as reason,
 * host and client; else what its server, systemd and the router say, without the log of requests.
 * Returns 0 or a negative errno. */
int journal_read(const char *instance, bool refusals, size_t max, JournalLines *ret);
void journal_lines_done(JournalLines *lines);
