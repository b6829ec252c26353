/* SPDX-License-Identifier: MIT */
/* The server's connection to bellhop-log(8), which has a name in the folder of sockets alone. */
#pragma once

#define LINES_SOCKET "lines"

/* A longer line is cut. rsyslog.conf allows for it. */
#define LINES_BYTES_MAX (192 * 1024)

/* How long a server waits until there is room. */
#define LINES_WAIT_SEC 1

/* sockets_fd: the folder; it stays the caller's. Returns a descriptor, or a negative number if
 * nobody listens. */
int lines_connect(int sockets_fd);
