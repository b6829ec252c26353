/* SPDX-License-Identifier: MIT */
/*
 * A seal restricts a socket to its one connection. The router hands sockets of the machine's
 * network to instances, even to an instance without a network (Network=no). Without a seal, such an
 * instance could disconnect the socket (connect(2), AF_UNSPEC), and then connect it to any address
 * or listen with it. The seal is a locked socket filter. It drops each packet whose destination is
 * not the address that the client connected to, before TCP gets the packet. No process can remove
 * the filter. Since 2026, Linux requires CAP_NET_ADMIN to set such a filter. bellhop-seal has this
 * capability.
 */
#pragma once

/* FileDescriptorName= of connections that bellhop-seal has accepted for the router. */
#define SEAL_EARLY_NAME "early"

/* Seals a listening socket. New connections inherit the seal. Returns 0, -EOPNOTSUPP if each
 * connection needs its own seal, -EPERM without CAP_NET_ADMIN, or another negative errno. */
int seal_listener(int fd);

/* Seals a connection that may be older than its listener's seal. If the connection already has a
 * seal, this takes only one system call. */
int seal_connection(int fd);
