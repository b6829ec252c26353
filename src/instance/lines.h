/* SPDX-License-Identifier: MIT */
/* Connects to the socket of bellhop-log(8). systemd passes the folder with this socket to
 * bellhop-instance. */
#pragma once

#define LINES_SOCKET "lines"

/* Longer lines are truncated. The limit in conf/rsyslog.conf is higher. */
#define LINES_BYTES_MAX (192 * 1024)

/* The longest time that a server waits for room in the socket. */
#define LINES_WAIT_SEC 1

/* sockets_fd: a descriptor of the folder; the caller keeps it. Returns a descriptor of the
 * connection, or a negative number if bellhop-log does not listen. */
int lines_connect(int sockets_fd);
