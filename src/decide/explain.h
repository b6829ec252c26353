/* SPDX-License-Identifier: MIT */
/* Questions and decisions as text, for the router's control socket and bellhopctl. Pure. */
#pragma once

#include "decide/decide.h"

/* Parses "protocol=tls|http", with "host=" and "address=IP:PORT" if known. The parts are separated
 * by '&', and each occurs at most once. There are no escapes, because no valid value needs them.
 * Returns false if text has another form. For HTTP, sets ret->host_required, because browsers
 * always send a host. */
bool explain_parse_question(Span text, Question *ret);

/* Writes a question in the form that explain_parse_question() parses. Returns false if size is too
 * small. */
bool explain_format_question(const Question *question, char *ret, size_t size);

#define EXPLAIN_MAX 5120

#define EXPLAIN_LINES 7

/* A decision as lines "KEY=VALUE", in the order of these fields. A value that does not apply is
 * NULL, and has no line. */
typedef union Explanation {
        struct {
                const char *outcome;  /* OUTCOME=: hand-off, redirect or refuse */
                const char *reason;   /* REASON=: the reason of a refusal, as in logs and metrics */
                const char *instance; /* INSTANCE=: the name of the instance, also for a redirect or
                                         refusal; NULL although there is a route: the route's file
                                         has a mistake, so the route has no owner */
                const char *why;      /* WHY=: address, exact, wildcard or default */
                const char *route;    /* ROUTE=: the host, wildcard or address as in the file */
                const char *file;     /* FILE=, LINE=: the position of the route */
                const char *line;
        };
        const char *values[EXPLAIN_LINES];
} Explanation;

_Static_assert(sizeof(Explanation) == EXPLAIN_LINES * sizeof(char *), "each value has its line");

/* Decides, and writes the lines of the decision. The lines repeat nothing from the question. */
void explain(const Config *config, const Question *question, char ret[static EXPLAIN_MAX]);

/* Splits text into lines, and sets the values of *ret, which point into text. */
void explain_parse(char *text, Explanation *ret);
