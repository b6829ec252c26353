/* SPDX-License-Identifier: MIT */
/* The other end of a connection, for people. */
#pragma once

#define PEER_NAME_MAX 64 /* "[" INET6_ADDRSTRLEN "]:65535" */

/* "192.0.2.7:4711", "[2001:db8::7]:4711", or "unknown" when it has gone. */
void peer_name(int fd, char ret[static PEER_NAME_MAX]);
