/* SPDX-License-Identifier: MIT */
/*
 * Pending connections on their way from one router process to the next, through systemd's
 * descriptor store (FileDescriptorStoreMax= in the unit).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How stored descriptors are named: numbered from 0, in the order in which to take them up. */
#define STORE_NAME_FORMAT "pending-%zu"
#define STORE_NAME_MAX    sizeof("pending-18446744073709551615")

/* What of a connection's past decides about its future. Routers of another version must understand
 * it. */
typedef struct StoredConn {
        uint64_t accepted_nsec;
        uint64_t sniffing_deadline_usec; /* 0: as the settings say, from now on */
        uint64_t waiting_deadline_usec;
} StoredConn;

/* The kernel takes no more descriptors in one message (SCM_MAX_FD). */
#define STORE_BATCH_MAX 253

/* One message. */
typedef struct StoreBatch {
        uint32_t magic;
        uint32_t n;
        StoredConn conns[STORE_BATCH_MAX];
} StoreBatch;

typedef struct StoreWriter {
        int queue[2]; /* a socket pair: read, write */
        size_t n_queued;
        size_t n_queues;
        size_t n_stored;
        int error;        /* the first one; nothing more is written then */
        StoreBatch batch; /* being filled */
        int fds[STORE_BATCH_MAX];
} StoreWriter;

/* Gives connections to systemd, in the order in which to take them up. The descriptors stay the
 * caller's, to be closed after store_end(). */
void store_begin(StoreWriter *writer);
void store_add(StoreWriter *writer, int fd, const StoredConn *conn);

/* Returns how many systemd has, or a negative errno if it does not have all. */
int store_end(StoreWriter *writer);

/* Takes up what a former router has stored in this descriptor. Returns how many there were. A
 * negative errno: the rest is lost. */
int store_take_up_consume(int fd, void (*take_consume)(void *userdata, int fd, const StoredConn *),
                          void *userdata);

/* Makes systemd forget what it has stored by that name. */
void store_forget(const char *name);
