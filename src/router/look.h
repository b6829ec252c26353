/* SPDX-License-Identifier: MIT */
/* One look at a connection, and what it tells. */
#pragma once

#include "decide/decide.h"
#include "sniff/sniff.h"

typedef struct Router Router;

typedef enum LookKind {
        LOOK_MORE,
        LOOK_DECIDED,
        LOOK_GONE,
} LookKind;

/* Whose connection it is, for limits and logs. */
typedef enum LookClient {
        LOOK_CLIENT_PEER,    /* its peer's */
        LOOK_CLIENT_UNKNOWN, /* its peer is a trusted proxy, and has not said whose */
        LOOK_CLIENT_TOLD,    /* by a trusted proxy */
} LookClient;

/* What a look at a connection tells. */
typedef struct Look {
        LookKind kind;
        LookClient client;
        Address told;                   /* LOOK_CLIENT_TOLD */
        enum bellhop_protocol protocol; /* as far as known */
        size_t need_bytes;              /* LOOK_MORE */
        size_t n_bytes;                 /* how many are there */
        Decision decision;              /* LOOK_DECIDED */
        Sniff sniffed;                  /* its spans point into the router's buffer */
} Look;

/* end_of_input: the client will send nothing more, so what is there must do. */
void look_at(const Router *router, int fd, bool end_of_input, Look *ret);

/* The address that the client connected to. */
bool look_local_address(int fd, Address *ret);

/* The address of its peer; false when that has gone. */
bool look_peer_address(int fd, Address *ret);
