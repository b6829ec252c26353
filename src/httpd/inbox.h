/* SPDX-License-Identifier: MIT */
/* Turns hand-offs into accepted sockets for the server, under any unpatched MPM. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include "handoff/bellhop.h"

/* Adds our listeners to those of the server, until pconf is destroyed. Call this before the MPM
 * reads the listeners. sender: the router's user. Logs errors. */
apr_status_t inbox_open(apr_pool_t *pconf, server_rec *server, int handoff_fd, uid_t sender);

/* is_shown true: adds records of ports 80 and 443 to the listeners, for modules that read the
 * listeners at the start. All other ports are mapped to these two. is_shown false: removes the
 * records, which is necessary before the MPM starts children. */
void inbox_show_ports(bool is_shown);

/* Call this in a child that has joined the page. From the time when the MPM is ready, the child
 * receives hand-offs. If that fails, logs the error and exits. */
void inbox_join(server_rec *server);

/* Call this when a worker has the connection: from now on, the MPM finishes it, even during a stop.
 */
void inbox_taken(conn_rec *conn);

/* Returns the hand-off of this connection, or of the connection to which this HTTP/2 stream
 * belongs. NULL: there was no hand-off. */
const struct bellhop_handoff *inbox_handoff_of(conn_rec *conn);
