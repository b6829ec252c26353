/* SPDX-License-Identifier: MIT */
/* When the router ends, gives its pending connections to the next router process, through systemd's
 * store of descriptors (FileDescriptorStoreMax=). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/notify.h"

/* The names of stored descriptors. The next router takes them in the order of their numbers, which
 * begin at 0. */
#define STORE_NAME_FORMAT "pending-%zu"
#define STORE_NAME_MAX    sizeof("pending-18446744073709551615")

/* The data of a stored connection. Routers of other versions must understand it. */
typedef struct StoredConn {
        uint64_t accepted_nsec;
        uint64_t sniffing_deadline_usec; /* 0: SniffTimeoutSec= after accepted_nsec */
        uint64_t waiting_deadline_usec;  /* 0: it has not waited for an outlet */
} StoredConn;

/* Gives systemd n connections, in the order in which the next router takes them. The caller keeps
 * the descriptors. Waits for systemd, at most 75 seconds. Returns n, or a negative errno if systemd
 * has not got all of them. */
int store_give(const Notify *notify, const int *fds, const StoredConn *conns, size_t n);

/* Takes the connections that the previous router process has stored in this descriptor. Returns
 * their number, or a negative errno if some of them are lost. */
typedef void (*StoreTake)(void *userdata, int fd_consume, const StoredConn *conn);
int store_take_up_consume(int fd, StoreTake take, void *userdata);

/* Makes systemd drop the descriptor with this name. If systemd does not get the message, the next
 * router gets the descriptor, finds no connections in it, and drops it. */
void store_forget(const Notify *notify, const char *name);
