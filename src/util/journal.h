/* SPDX-License-Identifier: MIT */
/* Writes lines to the journal in its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
 * Does not use libsystemd, which waits for a slow or hanging journald, and which would use memory
 * of every Apache process. Nothing here waits. A line that can't be sent is lost and counted, and
 * the number of lost lines is reported before the next line. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* What a line is about. A field that does not apply is NULL. Text from the network must be
 * escaped. */
typedef struct LogFields {
        const char *message_id; /* of util/log-ids.h, if an administrator has to act */
        const char *instance;
        const char *host;
        const char *peer;
        const char *reason; /* of a refusal */
} LogFields;

typedef struct JournalLine {
        const char *identifier;
        int level; /* of syslog(3) */
        const char *text;
        LogFields fields;
} JournalLine;

/* Before journal_open() and after journal_close(), lines go to standard error, with the level in
 * front. Returns 0 or a negative errno. Both functions reset the count of unreported lost lines. */
int journal_open(void);
void journal_close(void);

/* Returns false if the line is lost. Several threads may call this. */
bool journal_write(const JournalLine *line);

/* The number of lost lines since the start of the process. */
uint64_t journal_n_lost(void);
