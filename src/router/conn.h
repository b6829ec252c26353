/* SPDX-License-Identifier: MIT */
/*
 * One accepted connection on its way. Most never become an object: their first bytes are there when
 * they are accepted, and conn_accept() hands them off at once. A Conn is one that has to wait.
 */
#pragma once

#include <sys/queue.h>

#include "router/outlet.h"
#include "router/refuse.h"

typedef enum ConnState {
        CONN_SNIFFING,  /* waiting for bytes */
        CONN_WAITING,   /* routed, waiting for room in its outlet */
        CONN_LINGERING, /* refused, waiting for the client to take the reply */
} ConnState;

typedef TAILQ_HEAD(ConnQueue, Conn) ConnQueue;

/* Connections in the order of their deadlines, and the one timer that they need. */
typedef struct DeadlineQueue {
        ConnQueue conns;
        size_t n;
        sd_event_source *timer;
} DeadlineQueue;

struct Conn {
        Router *router;
        int fd;
        ConnState state;
        enum bellhop_protocol protocol;
        bool low_water_set; /* SO_RCVLOWAT is not as accept gave it */
        uint64_t accepted_nsec;
        uint64_t deadline_usec;
        sd_event_source *io;
        struct bellhop_handoff *handoff; /* CONN_WAITING */
        Outlet *outlet;                  /* CONN_WAITING */
        size_t lingered_bytes;           /* CONN_LINGERING */
        TAILQ_ENTRY(Conn) by_deadline;
        TAILQ_ENTRY(Conn) by_outlet;
};

/* Takes an accepted connection; everything else happens from here on, and by events. */
void conn_accept_consume(Router *router, int fd, uint64_t accepted_nsec);

Conn *conn_free(Conn *conn);

/* Sends the refusal and lingers. */
void conn_refuse(Conn *conn, RefuseReason reason);

/* The hand-off has succeeded: forget the connection. */
void conn_handed_off(Conn *conn);

int deadline_queue_init(DeadlineQueue *queue, Router *router);
void deadline_queue_done(DeadlineQueue *queue);
