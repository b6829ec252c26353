/* SPDX-License-Identifier: MIT */
/* Log lines to bellhop-log(8), which writes them to files. A server waits for room, so that no line
 * of a burst is lost; but for a bellhop-log that hangs, it waits for LINES_WAIT_SEC once, and loses
 * the lines that do not go out until bellhop-log takes some again. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum LinesResult {
        LINES_SENT = 1,
        LINES_LOST, /* counted */
        LINES_GONE, /* nobody listens there, now or later */
} LinesResult;

/* Facilities of syslog(3), by which rsyslog.conf knows what a line is. */
typedef enum LinesKind {
        LINES_ACCESS = 16, /* local0 */
        LINES_ERROR = 17,  /* local1 */
} LinesKind;

/* In the parent of the processes that send: what they have in common. Returns 0 or a negative
 * errno. */
int lines_init(void);

/* fd: a connection to bellhop-log, which stays the caller's. May be called by several threads. */
LinesResult lines_send(int fd, LinesKind kind, int level, const char *text, size_t size);

/* How many lines were lost since the last call. */
uint64_t lines_take_lost(void);
