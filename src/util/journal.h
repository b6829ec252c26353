/* SPDX-License-Identifier: MIT */
/* Writes lines to the journal by its own protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), not
 * by libsystemd: that waits for a journald which is slow or hangs, and takes memory of every Apache
 * process. Nothing here waits. A line that does not go out is lost and counted, and the next one
 * that does is preceded by one that says how many were. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <syslog.h>

/* What the line is about; NULL where it does not apply. Text from the network must be escaped. */
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

/* Before, and after journal_close(), lines go to standard error, with the level in front. Returns 0
 * or a negative errno. Both forget what was lost and not reported. */
int journal_open(void);
void journal_close(void);

/* False: the line is lost. May be called by several threads. */
bool journal_write(const JournalLine *line);

/* How many lines were lost since the start of the process. */
uint64_t journal_n_lost(void);
