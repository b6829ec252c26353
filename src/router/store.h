/* SPDX-License-Identifier: MIT */
/* Gives pending connections to the next router by systemd's store (FileDescriptorStoreMax=). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/notify.h"

/* How stored descriptors are named: numbered from 0, in the order in which to take them up. */
#define STORE_NAME_FORMAT "pending-%zu"
#define STORE_NAME_MAX    sizeof("pending-18446744073709551615")

/* What a connection's past says about its future. Routers of other versions must understand it. */
typedef struct StoredConn {
        uint64_t accepted_nsec;
        uint64_t sniffing_deadline_usec; /* 0: as the settings say, from now on */
        uint64_t waiting_deadline_usec;
} StoredConn;

/* Gives systemd n connections, in the order in which to take them up. The descriptors stay the
 * caller's. Waits for systemd, 75 seconds at most. Returns n, or a negative errno if systemd does
 * not have all. */
int store_give(const Notify *notify, const int *fds, const StoredConn *conns, size_t n);

/* Takes up what a former router has stored in this descriptor. Returns how many there were. A
 * negative errno: the rest is lost. */
typedef void (*StoreTake)(void *userdata, int fd_consume, const StoredConn *conn);
int store_take_up_consume(int fd, StoreTake take, void *userdata);

/* Makes systemd forget what it has stored by that name. If it does not hear of it, the next router
 * gets an empty queue and forgets it. */
void store_forget(const Notify *notify, const char *name);
