/* SPDX-License-Identifier: MIT */
/* Questions and decisions as text, for the router's control socket and bellhopctl. Pure. */
#pragma once

#include "decide/decide.h"

/* "protocol=tls|http", and of "host=" and "address=IP:PORT" what is known, each at most once,
 * separated by '&'. No escapes: no valid value needs one. False: it is not of that form. A host is
 * required over HTTP, as browsers send one. */
bool explain_parse_question(Span text, Question *ret);

/* The same form back; false: size is too small. */
bool explain_format_question(const Question *question, char *ret, size_t size);

#define EXPLAIN_MAX 5120

#define EXPLAIN_LINES 7

/* A decision as lines "KEY=VALUE" in this order; NULL, and no line: does not apply. */
typedef union Explanation {
        struct {
                const char *outcome;  /* OUTCOME=: hand-off, redirect or refuse */
                const char *reason;   /* REASON=: of a refusal, as in logs and metrics */
                const char *instance; /* INSTANCE=: also if redirected or refused for it; none:
                                         the file has a mistake, so nobody has the route */
                const char *why;      /* WHY=: address, exact, wildcard or default */
                const char *route;    /* ROUTE=: the host, wildcard or address as in the file */
                const char *file;     /* FILE=, LINE=: where that is written */
                const char *line;
        };
        const char *values[EXPLAIN_LINES];
} Explanation;

_Static_assert(sizeof(Explanation) == EXPLAIN_LINES * sizeof(char *), "each value has its line");

/* Decides, and writes the lines. Nothing of the question comes back. */
void explain(const Config *config, const Question *question, char ret[static EXPLAIN_MAX]);

/* Cuts the lines up; the values point into text. */
void explain_parse(char *text, Explanation *ret);
