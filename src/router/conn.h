/* SPDX-License-Identifier: MIT */
/* One accepted connection. Most connections never wait, so their Conn stays on the stack. The Conn
 * of a waiting connection is on the heap. */
#pragma once

#include "router/look.h"
#include "router/outlet.h"
#include "router/source.h"
#include "router/store.h"
#include "util/deadline.h"

typedef struct Router Router;

typedef enum ConnState {
        CONN_NEW,      /* has not had to wait yet */
        CONN_SNIFFING, /* waits for bytes */
        CONN_WAITING,  /* its route is known; waits for its outlet */
} ConnState;

typedef struct Conn {
        Router *router;
        struct Conn *allocated; /* this struct, if it is on the heap; NULL: it is on the stack */
        int fd;
        ConnState state;
        enum bellhop_protocol protocol;
        uint8_t alert;      /* TLS: the alert that a refusal sends, see Sniff */
        bool low_water_set; /* SO_RCVLOWAT was changed after accept */
        LookClient client;
        Address told; /* LOOK_CLIENT_TOLD: the client's address */
        StoredConn past;
        sd_event_source *io; /* used in CONN_SNIFFING */
        Source *source;      /* the source that counts this connection, or NULL */
        Deadline deadline;   /* unused in CONN_NEW */
        Waiter waiter;       /* used in CONN_WAITING; its handoff belongs to the Conn */
} Conn;

/* The hook accept_consume of ListenerHooks. userdata is the router. */
void conn_accept_consume(void *userdata, int fd, const StoredConn *past, bool is_unsure);

/* Takes a connection that was accepted before this router started. The connection may lack a seal
 * (see seal/seal.h). userdata is the router. */
void conn_resume_consume(void *userdata, int fd, const StoredConn *past);

/* The hook on_passed of the router's deadline queues. Refuses the connection whose deadline has
 * passed. */
void conn_on_deadline(Deadline *deadline);

/* The hook on_result of OutletShared. */
void conn_on_result(Waiter *waiter, OutletResult result);

/* Refuses the connections in the queue of an outlet that is about to be removed. */
void conn_refuse_waiting(Outlet *outlet);

/* Refuses the n connections that have waited longest for bytes, to free descriptors. */
void conn_shed_oldest(Router *router, size_t n);

/* Gives all pending connections to systemd, so that they survive conn_close_all(). */
void conn_store_all(Router *router);

void conn_close_all(Router *router);
