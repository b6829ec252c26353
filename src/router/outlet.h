/* SPDX-License-Identifier: MIT */
/* The router's end of one instance's hand-off socket, and the connections that wait, in order, for
 * room in it or for the instance's turn to start. A reload keeps it, with its counters. The
 * responder, bellhop-acme-tls, also has an outlet, although it is not an instance. */
#pragma once

#include <sys/types.h>

#include "config/config.h"
#include "metrics/metrics.h"
#include "router/log-limits.h"
#include "router/starts.h"

typedef struct Outlet Outlet;

typedef enum OutletResult {
        OUTLET_SENT,
        OUTLET_WAIT,   /* full, or not yet its turn to start: enqueue it */
        OUTLET_ABSENT, /* nothing listens: the instance's socket unit is not started */
} OutletResult;

/* A connection in an outlet's queue. */
typedef struct Waiter {
        Outlet *outlet; /* NULL: in no queue */
        int fd;         /* the owner uses both */
        struct bellhop_handoff *handoff;
        TAILQ_ENTRY(Waiter) link;
} Waiter;

/* Shared by the outlets of a router. */
typedef struct OutletShared {
        sd_event *event;         /* not owned, like all pointers here */
        const char *runtime_dir; /* of the hand-off sockets */
        sd_event_source *retry;  /* a timer that flushes all outlets, as some events never come */
        Metrics *metrics;        /* of all instances together */
        LogLimit *log_limits;    /* one for each LogKind */
        size_t in_flight_max;    /* unreceived hand-offs of each instance */
        Starts starts;           /* by outlet_shared_init() */
        void (*on_result)(Waiter *waiter, OutletResult result); /* sent or absent: dequeue it */
} OutletShared;

struct Outlet {
        OutletShared *shared;
        char *name; /* of the instance; NULL: the responder */
        int fd;
        dev_t device; /* of the file that fd is connected to, like inode */
        ino_t inode;
        uint64_t looked_usec;      /* when the path last led to that file */
        sd_event_source *writable; /* on while connections wait for room, or the instance starts */
        bool in_flight; /* connections wait until other instances receive, without an event */
        Start start;
        TAILQ_HEAD(, Waiter) waiting;
        size_t n_waiting;
        InstanceMetrics metrics;
        LogLimit log_limits[LOG_KINDS_OF_INSTANCE];
};

/* Set the other fields before, except in_flight_max. */
int outlet_shared_init(OutletShared *shared);

/* Applies settings to all later outlets; outlet_bound() applies them to an existing one. */
void outlet_shared_set(OutletShared *shared, const RouterSettings *settings, size_t n_instances);
void outlet_bound(const Outlet *outlet);

/* name: of the instance; NULL: for the responder. */
Outlet *outlet_new(OutletShared *shared, const char *name);

/* Its queue must be empty. Returns NULL. */
Outlet *outlet_free(Outlet *outlet);

/* Sends now or not at all; the caller keeps fd. */
OutletResult outlet_send(Outlet *outlet, const struct bellhop_handoff *handoff, int fd);

/* Sends waiting connections, until the socket is full again or none remains. */
void outlet_flush(Outlet *outlet);

/* Appends the connection to the queue, or removes it. */
int outlet_enqueue(Outlet *outlet, Waiter *waiter);
void outlet_dequeue(Waiter *waiter);
