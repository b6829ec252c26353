/* SPDX-License-Identifier: MIT */
/* An outlet is the router's end of one instance's hand-off socket. It has a queue of connections
 * that wait for room in the socket or for the instance's turn to start. A reload keeps outlets,
 * with their counters. The responder, bellhop-acme-tls, also has an outlet, although it is not an
 * instance. */
#pragma once

#include <sys/types.h>

#include "config/config.h"
#include "metrics/metrics.h"
#include "router/log-limits.h"
#include "router/starts.h"

typedef struct Outlet Outlet;

typedef enum OutletResult {
        OUTLET_SENT,
        OUTLET_WAIT,   /* the hand-off can't be sent yet: enqueue the connection */
        OUTLET_ABSENT, /* nothing listens: the instance's socket unit is not started */
} OutletResult;

/* A connection in an outlet's queue. */
typedef struct Waiter {
        Outlet *outlet; /* NULL: in no queue */
        int fd;         /* the connection; not owned, like handoff */
        struct bellhop_handoff *handoff;
        TAILQ_ENTRY(Waiter) link;
} Waiter;

/* The data that all outlets of a router share. */
typedef struct OutletShared {
        sd_event *event;         /* not owned, like all pointers here */
        const char *runtime_dir; /* the folder of the hand-off sockets */
        sd_event_source
                *retry; /* a timer that flushes all outlets, because some changes cause no event */
        Metrics *metrics;     /* the sums of all instances */
        LogLimit *log_limits; /* one for each LogKind */
        size_t in_flight_max; /* the limit of hand-offs that one instance has not received yet */
        Starts starts;        /* set by outlet_shared_init() */
        void (*on_result)(Waiter *waiter,
                          OutletResult result); /* result: OUTLET_SENT or OUTLET_ABSENT; the hook
                                                   must dequeue the waiter */
} OutletShared;

struct Outlet {
        OutletShared *shared;
        char *name; /* the name of the instance; NULL: the outlet is for the responder */
        int fd;
        dev_t device; /* device and inode of the file that fd is connected to */
        ino_t inode;
        uint64_t looked_usec;      /* when the path was last checked for this file */
        sd_event_source *writable; /* enabled while connections wait for room, or while the instance
                                      starts */
        bool in_flight; /* too many descriptors are in transit in total; when other instances
                           receive some of them, no event occurs here */
        Start start;
        TAILQ_HEAD(, Waiter) waiting;
        size_t n_waiting;
        InstanceMetrics metrics;
        LogLimit log_limits[LOG_KINDS_OF_INSTANCE];
};

/* Before the call, set all fields except in_flight_max and starts. */
int outlet_shared_init(OutletShared *shared);

/* Applies settings to all outlets that are made later. outlet_bound() applies them to an existing
 * outlet. */
void outlet_shared_set(OutletShared *shared, const RouterSettings *settings, size_t n_instances);
void outlet_bound(const Outlet *outlet);

/* name is the name of the instance, or NULL for the outlet of the responder. */
Outlet *outlet_new(OutletShared *shared, const char *name);

/* The outlet's queue must be empty. Returns NULL. */
Outlet *outlet_free(Outlet *outlet);

/* Sends the connection fd now or not at all. The caller still owns fd. */
OutletResult outlet_send(Outlet *outlet, const struct bellhop_handoff *handoff, int fd);

/* Sends waiting connections, until the socket is full again or no connection remains. */
void outlet_flush(Outlet *outlet);

/* outlet_enqueue() appends a connection to the queue, outlet_dequeue() removes it. */
int outlet_enqueue(Outlet *outlet, Waiter *waiter);
void outlet_dequeue(Waiter *waiter);
