/* SPDX-License-Identifier: MIT */
/*
 * The inbox: turns hand-offs into what the server takes for accepted sockets, under any MPM,
 * unpatched. Below the hooks and above libbellhop.
 */
#pragma once

#include <httpd.h>

#include "handoff/bellhop.h"

/*
 * Puts our listeners beside those of the server, until pconf goes. sender: the router's user. Call
 * it before the MPM looks at the listeners. Logs.
 */
apr_status_t inbox_open(apr_pool_t *pconf, server_rec *server, int handoff_fd, uid_t sender);

/* In a new child that has joined the page: from now on it takes hand-offs, as soon as the MPM is
 * ready. Logs; no way back. */
void inbox_join(server_rec *server);

/* A worker has this connection: from now on, the MPM finishes it whatever it is told. */
void inbox_taken(conn_rec *conn);

/* How this connection (or the one that this HTTP/2 stream belongs to) came; NULL: not by hand-off.
 */
const struct bellhop_handoff *inbox_handoff_of(conn_rec *conn);
