/* SPDX-License-Identifier: MIT */
/*
 * A seal makes a socket good for its one connection only. A passed socket belongs to the host's
 * network: without a seal, an instance could disconnect it (connect(2), AF_UNSPEC) and then connect
 * it to any address or listen with it.
 *
 * It is a locked socket filter, which drops before TCP what was not sent to the address that the
 * client connected to. Nobody can take it off. Since 2026 putting it on takes CAP_NET_ADMIN, which
 * bellhop-seal has.
 */
#pragma once

/* FileDescriptorName= of connections that bellhop-seal has accepted for the router. */
#define SEAL_EARLY_NAME "early"

/* Connections that come from now on are born sealed. 0, -EOPNOTSUPP when each connection needs a
 * seal of its own, -EPERM without the privilege. */
int seal_listener(int fd);

/* For a connection that may be older than its listener's seal; one system call if it has one. */
int seal_connection(int fd);
