/* SPDX-License-Identifier: MIT */
/*
 * One accepted connection on its way. Most never become an object: their first bytes are there when
 * they are accepted, and conn_accept() hands them off at once. A Conn is one that has to wait.
 */
#pragma once

#include "refuse/refuse.h"
#include "router/deadline.h"
#include "router/look.h"
#include "router/outlet.h"
#include "router/source.h"

typedef enum ConnState {
        CONN_SNIFFING,  /* waiting for bytes */
        CONN_WAITING,   /* routed, waiting for room in its outlet */
        CONN_LINGERING, /* refused, waiting for the client to take the reply */
} ConnState;

/* What of a connection's past decides about its future. Lies in the descriptor store: routers of
 * another version must understand it. */
typedef struct ConnPast {
        uint64_t accepted_nsec;
        uint64_t sniffing_deadline_usec; /* 0: as the settings say, from now on */
        uint64_t waiting_deadline_usec;
} ConnPast;

struct Conn {
        Router *router;
        int fd;
        ConnState state;
        enum bellhop_protocol protocol;
        bool low_water_set; /* SO_RCVLOWAT is not as accept gave it */
        bool is_queued;     /* in the deadline queue of its state */
        LookClient client;
        Address told; /* LOOK_CLIENT_TOLD */
        ConnPast past;
        uint64_t deadline_usec;
        sd_event_source *io;
        Source *source;                  /* CONN_SNIFFING, CONN_WAITING: what it counts for */
        struct bellhop_handoff *handoff; /* CONN_WAITING */
        Outlet *outlet;                  /* CONN_WAITING */
        size_t lingered_bytes;           /* CONN_LINGERING */
        TAILQ_ENTRY(Conn) by_deadline;
        TAILQ_ENTRY(Conn) by_outlet;
};

/* Takes an accepted connection; everything else happens from here on, and by events. */
void conn_accept_consume(Router *router, int fd, uint64_t accepted_nsec);

/* Takes one that was pending when a former router ended. It counts as accepted. */
void conn_resume_consume(Router *router, int fd, const ConnPast *past);

/* Makes a pending connection ready for another router. */
void conn_pack(Conn *conn, ConnPast *ret);

Conn *conn_free(Conn *conn);

/* Sends the refusal and lingers. */
void conn_refuse(Conn *conn, RefuseReason reason);

/* The hand-off has succeeded: forget the connection. */
void conn_handed_off(Conn *conn);

/* Its time is over. */
void conn_on_deadline(Conn *conn);

/* Refuses the oldest that still sniff, to get descriptors back. */
void conn_shed_oldest(Router *router, size_t n);
