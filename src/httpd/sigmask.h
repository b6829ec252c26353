/* SPDX-License-Identifier: MIT */
/*
 * Signals that Apache handles wrongly for an instance.
 *
 * A child of prefork blocks the signal of a graceful stop while it serves a connection. APR does
 * not resume an interrupted wait, so without this, the request or TLS handshake would be dropped.
 * Threaded MPMs don't need this, because their signals go to a thread that serves no connection.
 *
 * The parent looks for ended children once a second, so each stop would take a second. Here the
 * parent handles SIGCHLD, which interrupts its sleep.
 */
#pragma once

#include <apr_pools.h>
#include <stdbool.h>

/* Call the first function in the parent, for each configuration. Call the second one in each child.
 */
void sigmask_handle_children(apr_pool_t *pconf);
void sigmask_init_child(bool is_prefork);

/* how: SIG_BLOCK while a connection is served, SIG_UNBLOCK while the connection waits for its next
 * request. */
void sigmask_change(int how);
