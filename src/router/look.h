/* SPDX-License-Identifier: MIT */
/* One look at a connection, and what it tells. */
#pragma once

#include "handoff/bellhop.h"
#include "refuse/refuse.h"
#include "router/doorman.h"
#include "sniff/sniff.h"
#include "util/address.h"

typedef struct Router Router;

typedef enum LookKind {
        LOOK_MORE,
        LOOK_ROUTE,
        LOOK_REFUSE,
        LOOK_REDIRECT, /* to HTTPS, by the router itself */
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
        uint32_t instance;   /* LOOK_ROUTE, LOOK_REDIRECT */
        RefuseReason refuse; /* LOOK_REFUSE */
        size_t need_bytes;   /* LOOK_MORE */
        size_t n_bytes;      /* how many are there */
        LookClient client;
        Address told;                   /* LOOK_CLIENT_TOLD */
        struct bellhop_handoff handoff; /* protocol always, the rest as far as known */
        Sniff sniffed;                  /* its spans point into the router's buffer */
} Look;

/* The reply of LOOK_REDIRECT; only right after that look. */
size_t look_redirect(const Look *look, char ret[static DOORMAN_REPLY_MAX]);

/* end_of_input: the client will send nothing more, so what is there must do. */
void look_at(const Router *router, int fd, bool end_of_input, Look *ret);

/* The address that the client connected to. */
bool look_local_address(int fd, Address *ret);

/* The address of its peer; false when that has gone. */
bool look_peer_address(int fd, Address *ret);
