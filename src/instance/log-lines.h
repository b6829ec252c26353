/* SPDX-License-Identifier: MIT */
/* Log lines of a server: to bellhop-log(8), which writes them to files, or to the journal. A server
 * waits for room, so that no line of a burst is lost. If bellhop-log hangs, it waits for
 * LINES_WAIT_SEC once, then drops and counts lines until bellhop-log accepts some again. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Facilities of syslog(3), by which rsyslog.conf tells access lines from error lines. */
typedef enum LinesKind {
        LINES_ACCESS = 16,  /* local0 */
        LINES_ERROR = 17,   /* local1 */
        LINES_SEVERAL = 18, /* local2: of the access log, with LINES_SEPARATOR between them */
} LinesKind;

/* No line has it, as only a server that escapes all but ASCII gathers lines. */
#define LINES_SEPARATOR "\xe2\x90\xa4" /* U+2424 */

/* instance: stays the caller's. */
void log_lines_init(const char *instance);

/* In the parent of the processes that write: makes the memory that they share. fd: a connection to
 * bellhop-log, which the caller keeps; negative: none. */
void log_lines_use(int fd);

/* text: ends with NUL after size bytes. is_file: to the file, or to the journal if bellhop-log is
 * not there. level: of syslog(3). Returns whether it went to the file. Several threads may
 * call this. */
bool log_lines_write(LinesKind kind, int level, const char *text, size_t size, bool is_file);

/* In a process that gathers lines, once: takes a buffer, and sends what a process that has crashed
 * has left there. number: below 64, of no other process that lives. */
void log_lines_join(unsigned number);

/* An access line for a file, which log_lines_flush() sends together with others: that saves calls
 * here and most of the work of bellhop-log. Sends at once what finds no room. Only in processes
 * with one thread. Returns whether something waits. */
bool log_lines_gather(const char *text, size_t size);
void log_lines_flush(void);

/* Says in the journal how many lines were lost since it said so last. */
void log_lines_report_lost(void);
