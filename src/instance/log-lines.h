/* SPDX-License-Identifier: MIT */
/* Sends log lines of a server either to bellhop-log(8), which writes files, or to the journal. A
 * server waits for room in bellhop-log's socket, so no line of a burst is lost. If bellhop-log
 * hangs, the server waits once for LINES_WAIT_SEC. Then it drops and counts lines until bellhop-log
 * accepts lines again. A server can also gather access lines in a buffer, to send several lines
 * together. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Facilities of syslog(3), which bellhop-log (conf/rsyslog.conf) uses to distinguish access lines
 * from error lines. */
typedef enum LinesKind {
        LINES_ACCESS = 16,  /* local0 */
        LINES_ERROR = 17,   /* local1 */
        LINES_SEVERAL = 18, /* local2: several access lines, with LINES_SEPARATOR between them */
} LinesKind;

/* The lines themselves never contain this character: only servers that escape all characters
 * outside ASCII use LINES_SEVERAL. */
#define LINES_SEPARATOR "\xe2\x90\xa4" /* U+2424 */

/* Call it before all other functions. instance: the name of the instance; the string must stay
 * valid. */
void log_lines_init(const char *instance);

/* Call it in the parent of the processes that write lines. Makes the memory that they share. fd: a
 * connection to bellhop-log; negative: none. The caller keeps fd. */
void log_lines_use(int fd);

/* Writes a line. text: size bytes, and then a NUL. is_file: whether to send the line to
 * bellhop-log. If not, or if bellhop-log does not listen, the line goes to the journal. level: of
 * syslog(3). Returns false if the line went to the journal. Several threads may call this at the
 * same time. */
bool log_lines_write(LinesKind kind, int level, const char *text, size_t size, bool is_file);

/* Call it once in each process that gathers lines. Takes the buffer with the given number (0 to
 * 63), and sends the lines that a crashed process left in it. Two running processes must not use
 * the same buffer. */
void log_lines_join(unsigned number);

/* Adds an access line to the buffer. Use it only for lines that bellhop-log writes to a file.
 * log_lines_flush() sends all gathered lines together, which saves system calls and most of the
 * work of bellhop-log. Call both functions only in processes with one thread. If the line is larger
 * than the buffer, or this process has no buffer, sends the line at once, and returns false. */
bool log_lines_gather(const char *text, size_t size);
void log_lines_flush(void);

/* Reports in the journal how many lines were lost since the last report. */
void log_lines_report_lost(void);
