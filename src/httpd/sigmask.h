/* SPDX-License-Identifier: MIT */
/*
 * Signals that Apache itself handles wrongly for an instance.
 *
 * A child of prefork blocks the graceful signal while it serves a connection: APR does not resume a
 * wait that a signal has interrupted, so the request or TLS handshake would be dropped. Threaded
 * MPMs need none of it: their signals go to a thread that serves nobody.
 *
 * The parent looks for ended children once a second, so each stop would take a second. A signal
 * that is handled interrupts its sleep.
 */
#pragma once

#include <apr_pools.h>
#include <stdbool.h>

/* In the parent, for one configuration; and in a child of it. */
void sigmask_handle_children(apr_pool_t *pconf);
void sigmask_init_child(bool is_prefork);

/* SIG_BLOCK while a connection is served, SIG_UNBLOCK while it waits for its next request. */
void sigmask_change(int how);
