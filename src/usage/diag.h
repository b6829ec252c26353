/* SPDX-License-Identifier: MIT */
/* Makes questions to the kernel about TCP connections, and parses its messages: sock_diag(7).
 * Pure. */
#pragma once

#include "util/span.h"

/* SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY, as in ListenNetlink= of
 * bellhop-usage.socket. */
#define DIAG_GROUPS 5

typedef enum DiagKind {
        DIAG_OTHER,
        DIAG_SOCKET,
        DIAG_DONE,  /* the end of an answer */
        DIAG_ERROR, /* the end of an incomplete answer */
} DiagKind;

typedef struct DiagMessage {
        DiagKind kind;
        /* Only for DIAG_SOCKET: */
        uint64_t cookie;
        uint64_t sent;     /* bytes that the peer has acknowledged */
        uint64_t received; /* bytes */
} DiagMessage;

/* Removes the next message from the front of the received data. Returns false if there is none. A
 * message about a socket without figures is DIAG_OTHER. */
bool diag_next(Span *rest, DiagMessage *ret);

/* Makes a question for all connections of a family, AF_INET or AF_INET6. Returns its size. */
#define DIAG_QUESTION_MAX 96
size_t diag_question(uint8_t family, uint8_t ret[static DIAG_QUESTION_MAX]);
