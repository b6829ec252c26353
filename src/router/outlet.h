/* SPDX-License-Identifier: MIT */
/*
 * An outlet: the router's end of one instance's hand-off socket, and the connections that wait for
 * room in it, or for the instance's turn to start, in the order they came. It stays connected from
 * the first hand-off on; the instance need not run.
 */
#pragma once

#include <stdbool.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "metrics/metrics.h"
#include "router/starts.h"
#include "router/trouble.h"

typedef struct Conn Conn;
typedef struct Router Router;

typedef TAILQ_HEAD(ConnWaitQueue, Conn) ConnWaitQueue;

typedef struct Outlet {
        Router *router;
        char *name; /* of the instance */
        int fd;
        sd_event_source *writable; /* on while connections wait for room, or the instance starts */
        bool in_flight; /* they wait for others to receive theirs, which no event tells */
        Start start;
        ConnWaitQueue waiting;
        size_t n_waiting;
        InstanceMetrics metrics;
        LogLimit trouble_log[TROUBLE_OF_INSTANCE];
} Outlet;

Outlet *outlet_new(Router *router, const char *name);

/* Refuses what still waits. */
Outlet *outlet_free(Outlet *outlet);

/* Watches for what it has to wait for now. */
int outlet_watch(Outlet *outlet);

/* Applies router->in_flight_max. */
void outlet_bound_in_flight(Outlet *outlet);

typedef enum OutletResult {
        OUTLET_SENT,
        OUTLET_WAIT,   /* full, or not yet its turn to start: enqueue it */
        OUTLET_ABSENT, /* nobody listens: the customer's socket unit is not started */
} OutletResult;

/* Sends now or not at all; fd stays the caller's. */
OutletResult outlet_send(Outlet *outlet, const struct bellhop_handoff *handoff, int fd);

/* Sends what waits, until the queue is full again or nothing is left. */
void outlet_flush(Outlet *outlet);

/* Puts the connection at the end of the queue, or takes it out again. */
int outlet_enqueue(Outlet *outlet, Conn *conn);
void outlet_dequeue(Outlet *outlet, Conn *conn);
