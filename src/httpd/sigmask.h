/* SPDX-License-Identifier: MIT */
/*
 * Signals that Apache handles wrongly for an instance.
 *
 * A child of prefork blocks the graceful signal while it serves a connection: APR does not resume
 * an interrupted wait, so the request or TLS handshake would be dropped. Threaded MPMs don't need
 * this: their signals go to a thread that serves no connection.
 *
 * The parent looks for ended children once a second, so each stop would take a second. A handled
 * signal interrupts its sleep.
 */
#pragma once

#include <apr_pools.h>
#include <stdbool.h>

/* In the parent, for one configuration; and in a child of it. */
void sigmask_handle_children(apr_pool_t *pconf);
void sigmask_init_child(bool is_prefork);

/* SIG_BLOCK while a connection is served, SIG_UNBLOCK while it waits for its next request. */
void sigmask_change(int how);
