/* SPDX-License-Identifier: MIT */
/* Writes lines to the journal in its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
 * Does not use libsystemd: it would wait for a journald that is slow or hangs, and would use memory
 * in every Apache process, because mod_bellhop contains this file. Only journal_finish() waits. A
 * line that can't be sent at once is lost. The number of lost lines is reported before the next
 * line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* What a line is about. A field that does not apply is NULL. Text from the network must be
 * escaped. */
typedef struct LogFields {
        const char *message_id; /* from util/log-ids.h */
        const char *instance;
        const char *host;
        const char *peer;
        const char *reason; /* of a refusal */
} LogFields;

typedef struct JournalLine {
        const char *identifier;
        int level; /* as in syslog(3) */
        const char *text;
        LogFields fields;
} JournalLine;

/* After journal_open(), lines go to the journal. Before journal_open() and after journal_close(),
 * lines go to standard error, with the level in front. A later line reports how many lines were
 * lost; journal_open() and journal_close() set this number to 0. journal_open() returns 0 or a
 * negative errno. */
int journal_open(void);
void journal_close(void);

/* Writes a line. Returns false if the line is lost. Several threads may call this at the same time.
 */
bool journal_write(const JournalLine *line);

/* Waits until journald has read all lines of this process, but at most a second. journald finds the
 * unit of a line by the process that sent it. A line of a process that has already ended belongs to
 * no unit. Call this only before a process ends. */
void journal_finish(void);

/* Returns the number of lines that were lost since the start of the process. */
uint64_t journal_n_lost(void);
