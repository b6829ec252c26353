/* SPDX-License-Identifier: MIT */
/* Looks at a connection once: finds the client, and decides where the connection goes from the
 * bytes that have arrived so far. */
#pragma once

#include "decide/decide.h"
#include "sniff/sniff.h"

typedef enum LookKind {
        LOOK_MORE, /* undecided: wait for need_bytes */
        LOOK_DECIDED,
        LOOK_GONE, /* the client has left */
} LookKind;

/* How the router knows the client's address, which it uses for limits and logs. */
typedef enum LookClient {
        LOOK_CLIENT_PEER,    /* the peer is the client */
        LOOK_CLIENT_UNKNOWN, /* the peer is a trusted proxy that has not named a client */
        LOOK_CLIENT_TOLD,    /* a trusted proxy has named the client */
} LookClient;

typedef struct Look {
        LookKind kind;
        LookClient client;
        Address told;                   /* LOOK_CLIENT_TOLD: the client's address */
        enum bellhop_protocol protocol; /* if known */
        size_t need_bytes;              /* LOOK_MORE: the number of bytes to wait for */
        size_t n_bytes;                 /* the number of bytes that have arrived */
        Decision decision;              /* if kind is LOOK_DECIDED */
        Sniff sniffed;                  /* its spans point into the buffer of look_at() */
} Look;

/* Looks at a connection without changing it. buffer has room for SniffMaxBytes=; the spans of *ret
 * point into it. If end_of_input is true, the client sends no more bytes, so the present bytes must
 * be enough to decide. */
void look_at(const Config *config, uint8_t *buffer, int fd, bool end_of_input, Look *ret);

/* Whether the bytes that have arrived on a connection belong to an ACME challenge for a host of the
 * connection's instance. The parameter look is the result of an earlier look at this connection, in
 * which the local address decided the route. */
bool look_for_challenge(const Config *config, uint8_t *buffer, int fd, const Look *look, Look *ret);

/* Changes the outcome of a look: the connection must be refused, for this reason. */
void look_refuse(Look *look, RefuseReason reason);
