/* SPDX-License-Identifier: MIT */
/*
 * A seal makes a socket good for its one connection and for nothing else. A passed socket belongs
 * to the network of the host, whatever network the instance has: without a seal, an instance could
 * disconnect it (connect(2), AF_UNSPEC) and then connect it to any address or listen with it.
 *
 * It is a locked socket filter, which lets in only what was sent to the address that the client
 * connected to. An answer to another connection, or a client of another port, is thrown away before
 * TCP sees it. Nobody can take it off. Since 2026 it takes CAP_NET_ADMIN, which
 * bellhop-seal has, to put it on.
 */
#pragma once

/* As the router inherits connections that bellhop-seal has accepted: FileDescriptorName= of a kind.
 */
#define SEAL_EARLY_NAME "early"

/* Connections that come from now on are born sealed. 0, -EOPNOTSUPP when each connection needs a
 * seal of its own, -EPERM without the privilege. */
int seal_listener(int fd);

/* For a connection that may be older than the seal of its listener. Costs one system call where it
 * is sealed already. */
int seal_connection(int fd);
