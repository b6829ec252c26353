/* SPDX-License-Identifier: MIT */
/* Decides which instance gets a connection, or whether the router redirects or refuses it. Pure. */
#pragma once

#include "challenge/challenge.h"
#include "config/config.h"
#include "handoff/bellhop.h"
#include "refuse/refuse.h"

typedef struct Question {
        enum bellhop_protocol protocol; /* TLS or HTTP */
        bool has_local;                 /* whether local is known */
        bool host_required;             /* the protocol demands a host (HTTP/1.1) */
        Address local;                  /* the address that the client connected to */
        Span host;                      /* as the client wrote it; empty: no host */
        bool offers_acme; /* TLS: the only protocol that the client offers is acme-tls/1 */
        Span method;      /* HTTP: the method of the request */
        Span path;        /* HTTP: path and query of the request target */
} Question;

typedef enum DecisionKind {
        DECISION_ROUTE,    /* the connection goes to an instance */
        DECISION_REDIRECT, /* the router redirects the client to HTTPS: Http= of bellhop.instance(5)
                            */
        DECISION_REFUSE,
} DecisionKind;

typedef struct Decision {
        DecisionKind kind;
        RefuseReason refuse;        /* the reason of a DECISION_REFUSE */
        uint32_t instance;          /* ROUTE_NONE: the decision concerns no instance */
        enum bellhop_reason reason; /* how the instance was found */
        uint32_t route;          /* the number for hostmap_route(); ROUTE_NONE: no route matches */
        Hostname host;           /* canonical; length 0: no host, or one that can't be routed */
        ChallengeType challenge; /* if this challenge is pending for the host, the instance does not
                                    get the connection, whatever kind says */
        Span token;              /* CHALLENGE_HTTP: a valid token; points into the question */
} Decision;

/* Decides by the local address alone, before the router has looked at any byte. Returns false if no
 * route has this address; *ret is then not set. */
bool decide_address(const Config *config, const Address *local, Decision *ret);

/* Decides by the local address, if it is known and has a route, otherwise by the host. */
void decide(const Config *config, const Question *question, Decision *ret);

#define DECIDE_REDIRECT_MAX 8192

/* Writes the reply of a DECISION_REDIRECT into ret. Returns the size of the reply. */
size_t decide_redirect(const Decision *decision, Span method, Span path,
                       char ret[static DECIDE_REDIRECT_MAX]);
