/* SPDX-License-Identifier: MIT */
/* Turns hand-offs into accepted sockets for the server, under any unpatched MPM. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include "handoff/bellhop.h"

/* Adds our listeners to those of the server, until pconf is destroyed. Call it before the MPM reads
 * the listeners. sender: the router's user. Logs. */
apr_status_t inbox_open(apr_pool_t *pconf, server_rec *server, int handoff_fd, uid_t sender);

/* Adds records of ports 80 and 443 to the listeners, for modules that read the listeners at the
 * start; all other ports are mapped to these two. is_shown false: removes the records, before the
 * MPM starts children. */
void inbox_show_ports(bool is_shown);

/* In a child that has joined the page: receives hand-offs when the MPM is ready, otherwise exits.
 * Logs. */
void inbox_join(server_rec *server);

/* A worker has this connection: from now on, the MPM finishes it, even during a stop. */
void inbox_taken(conn_rec *conn);

/* The hand-off of this connection, or of the connection of this HTTP/2 stream; NULL: there was
 * none. */
const struct bellhop_handoff *inbox_handoff_of(conn_rec *conn);
