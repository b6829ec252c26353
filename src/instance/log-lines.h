/* SPDX-License-Identifier: MIT */
/* Log lines of a server: to bellhop-log(8), which writes them to files, or to the journal. A server
 * waits for room, so no line of a burst is lost. If bellhop-log hangs, the server waits for
 * LINES_WAIT_SEC once, then drops and counts lines until bellhop-log accepts some again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Facilities of syslog(3), which rsyslog.conf uses to distinguish access lines from error lines. */
typedef enum LinesKind {
        LINES_ACCESS = 16,  /* local0 */
        LINES_ERROR = 17,   /* local1 */
        LINES_SEVERAL = 18, /* local2: of the access log, with LINES_SEPARATOR between them */
} LinesKind;

/* No line contains it: only a server that escapes everything except ASCII gathers lines. */
#define LINES_SEPARATOR "\xe2\x90\xa4" /* U+2424 */

/* instance: the caller keeps it. */
void log_lines_init(const char *instance);

/* In the parent of the writing processes: makes their shared memory. fd: a connection to
 * bellhop-log, which the caller keeps; negative: none. */
void log_lines_use(int fd);

/* text: ends with NUL after size bytes. is_file: to the file, or to the journal without
 * bellhop-log. level: of syslog(3). Returns whether it was written to the file. Several threads may
 * call this. */
bool log_lines_write(LinesKind kind, int level, const char *text, size_t size, bool is_file);

/* In a process that gathers lines, once: takes a buffer, and sends lines that a crashed process
 * left there. number: below 64, and not of another living process. */
void log_lines_join(unsigned number);

/* Adds an access line for a file, which log_lines_flush() sends together with others: this saves
 * calls here and most of the work of bellhop-log. A line without room is sent at once. Only in
 * processes with one thread. Returns whether lines wait. */
bool log_lines_gather(const char *text, size_t size);
void log_lines_flush(void);

/* Reports in the journal how many lines were lost since the last report. */
void log_lines_report_lost(void);
