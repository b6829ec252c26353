/* SPDX-License-Identifier: MIT */
/* Decides which instance gets a connection, or whether the router redirects or refuses it. Pure. */
#pragma once

#include "challenge/challenge.h"
#include "config/config.h"
#include "handoff/bellhop.h"
#include "refuse/refuse.h"

typedef struct Question {
        enum bellhop_protocol protocol; /* TLS or HTTP */
        bool has_local;                 /* local is known, and can decide */
        bool host_required;             /* the protocol demands a host (HTTP/1.1) */
        Address local;                  /* the address that the client connected to */
        Span host;                      /* as the client wrote it; empty: none */
        bool offers_acme;               /* TLS: acme-tls/1, and no other protocol */
        Span method;                    /* HTTP */
        Span path;                      /* HTTP: path and query of the request target */
} Question;

typedef enum DecisionKind {
        DECISION_ROUTE,    /* to an instance */
        DECISION_REDIRECT, /* to HTTPS, by the router itself: Http= of bellhop.instance(5) */
        DECISION_REFUSE,
} DecisionKind;

typedef struct Decision {
        DecisionKind kind;
        RefuseReason refuse;        /* DECISION_REFUSE */
        uint32_t instance;          /* ROUTE_NONE: concerns no instance */
        enum bellhop_reason reason; /* how the instance was found */
        uint32_t route;             /* for hostmap_route(); ROUTE_NONE: no route matches */
        Hostname host;              /* canonical; length 0: none, or it can't be routed */
        ChallengeType challenge;    /* if such a challenge is pending for the host, it is answered
                                       without the instance, whatever the kind of decision */
        Span token;                 /* CHALLENGE_HTTP: a valid one; points into the question */
} Decision;

/* Decides by the local address alone, before a byte is read. False: no route has it, and *ret is
 * not set. */
bool decide_address(const Config *config, const Address *local, Decision *ret);

/* Decides by the local address, if that is known, otherwise by the host. */
void decide(const Config *config, const Question *question, Decision *ret);

#define DECIDE_REDIRECT_MAX 8192

/* The reply of DECISION_REDIRECT to a request. */
size_t decide_redirect(const Decision *decision, Span method, Span path,
                       char ret[static DECIDE_REDIRECT_MAX]);
