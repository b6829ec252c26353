/* SPDX-License-Identifier: MIT */
/*
 * What a router with a configuration does with a connection, and why: for people who ask. The
 * router answers with this about what is in force, and bellhopctl about what stands in the files;
 * a test holds both against what the router really does. Pure.
 */
#pragma once

#include "config/config.h"

typedef struct RouteQuestion {
        Span host; /* as the client names it; empty: it names none */
        bool tls;
        bool has_local;
        Address local; /* what the client connects to */
} RouteQuestion;

/*
 * "protocol=tls|http", and of "host=", "address=", "port=" those that are known, each at most once,
 * separated by '&'. An address and a port belong together. No escapes: nothing that may stand there
 * needs one. False: it is nothing of that form.
 */
bool route_question_parse(Span text, RouteQuestion *ret);

/* The same form back; truncated is as if it were too long: false. */
bool route_question_format(const RouteQuestion *question, char *ret, size_t size);

/*
 * Lines "KEY=VALUE":
 * OUTCOME=  hand-off, redirect or refuse
 * REASON=   of a refusal, as in logs and metrics
 * INSTANCE= whose it is, also if it is redirected or refused for that one
 * WHY=      address, exact, wildcard, default; what named the instance
 * ROUTE=    the host, wildcard or address as in the file
 * FILE=, LINE=  where that stands
 * Those that don't apply are not there. Nothing of the question comes back.
 */
#define ROUTE_ANSWER_MAX 5120
void route_explain(const Config *config, const RouteQuestion *question,
                   char ret[static ROUTE_ANSWER_MAX]);
