/* SPDX-License-Identifier: MIT */
/* Connects to bellhop-log(8), through its socket in the folder that the unit passes to
 * bellhop-instance. */
#pragma once

#define LINES_SOCKET "lines"

/* Longer lines are truncated. The limit in rsyslog.conf is higher. */
#define LINES_BYTES_MAX (192 * 1024)

/* The longest time that a server waits for room in the socket. */
#define LINES_WAIT_SEC 1

/* sockets_fd: a descriptor of the folder, which the caller keeps. Returns a descriptor, or a
 * negative number if bellhop-log does not listen. */
int lines_connect(int sockets_fd);
