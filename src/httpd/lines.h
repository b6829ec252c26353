/* SPDX-License-Identifier: MIT */
/* Sends log lines to bellhop-log(8), which writes them to files. A server waits for room, so that
 * no line of a burst is lost. If bellhop-log hangs, it waits for LINES_WAIT_SEC once, then drops
 * lines until bellhop-log accepts some again. */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum LinesResult {
        LINES_SENT = 1,
        LINES_LOST, /* counted */
        LINES_GONE, /* nobody listens there, now or later */
} LinesResult;

/* Facilities of syslog(3), by which rsyslog.conf tells access lines from error lines. */
typedef enum LinesKind {
        LINES_ACCESS = 16, /* local0 */
        LINES_ERROR = 17,  /* local1 */
} LinesKind;

/* Call in the parent of the processes that send: makes the memory that they share. Returns 0 or a
 * negative errno. */
int lines_init(void);

/* fd: a connection to bellhop-log; the caller keeps it. Several threads may call this. */
LinesResult lines_send(int fd, LinesKind kind, int level, const char *text, size_t size);

/* How many lines were lost since the last call. */
uint64_t lines_take_lost(void);
