/* SPDX-License-Identifier: MIT */
/*
 * Changes how Apache handles two signals.
 *
 * While a child of prefork serves a connection, mod_bellhop blocks the signal of a graceful stop.
 * Otherwise the signal could interrupt a wait, which APR does not resume, and the request or TLS
 * handshake would be lost. Threaded MPMs don't need this, because their signals go to a thread that
 * serves no connection.
 *
 * Apache's parent looks for ended children only once a second, so each stop would take a second.
 * With mod_bellhop, the parent handles SIGCHLD, which interrupts the sleep of the parent.
 */
#pragma once

#include <apr_pools.h>
#include <stdbool.h>

/* Call sigmask_handle_children() in the parent, at the start and at each reload, and
 * sigmask_init_child() in each child. */
void sigmask_handle_children(apr_pool_t *pconf);
void sigmask_init_child(bool is_prefork);

/* how: SIG_BLOCK while a connection is served, SIG_UNBLOCK while the connection waits for its next
 * request. */
void sigmask_change(int how);
