/* SPDX-License-Identifier: MIT */
/* Receives hand-offs, and gives their connections to Apache as accepted sockets. Works with any
 * MPM, without patches. */
#pragma once

#include <stdbool.h>

#include <httpd.h>

#include "handoff/bellhop.h"

/* Adds two listeners to the server's list of listeners: one for the hand-off socket, and one that
 * never becomes readable. Both are removed when pconf is destroyed. Call this before the MPM reads
 * the listeners. sender: the router's user. Logs errors. */
apr_status_t inbox_open(apr_pool_t *pconf, server_rec *server, int handoff_fd, uid_t sender);

/* If is_shown is true, adds ports 80 and 443 to the server's list of listeners, for modules that
 * read this list at the start. (Connections to other ports of the router count as connections to
 * one of these two: see choose_port() in inbox.c.) If is_shown is false, removes them again, which
 * is necessary before the MPM starts children. */
void inbox_show_ports(bool is_shown);

/* Lets a child receive hand-offs as soon as the MPM is ready. Call this in the child, after
 * page_join(). If an error occurs, logs it and ends the child. */
void inbox_join(server_rec *server);

/* Call this when a worker takes the connection. From then on, the MPM serves the connection to its
 * end, even during a stop. */
void inbox_taken(conn_rec *conn);

/* Returns the hand-off of this connection, or of the connection to which this HTTP/2 stream
 * belongs. Returns NULL if there was no hand-off. */
const struct bellhop_handoff *inbox_handoff_of(conn_rec *conn);
