/* SPDX-License-Identifier: MIT */
/* What the kernel says of TCP connections: sock_diag(7). Pure. */
#pragma once

#include "util/span.h"

/* As in ListenNetlink= of bellhop-usage.socket: SKNLGRP_INET_TCP_DESTROY and the same for IPv6. */
#define DIAG_GROUPS 5

typedef enum DiagKind {
        DIAG_OTHER,
        DIAG_SOCKET,
        DIAG_DONE,  /* of an answer */
        DIAG_ERROR, /* the same, and not all was said */
} DiagKind;

typedef struct DiagMessage {
        DiagKind kind;
        /* Of DIAG_SOCKET: */
        uint64_t cookie;
        uint64_t sent;     /* bytes that the peer has acknowledged */
        uint64_t received; /* bytes */
} DiagMessage;

/* Takes the next message off the front of what was received. False: there is none. A socket without
 * those figures is DIAG_OTHER. */
bool diag_next(Span *rest, DiagMessage *ret);

/* A question for all connections of a family, AF_INET or AF_INET6. Returns its size. */
#define DIAG_QUESTION_MAX 96
size_t diag_question(uint8_t family, uint8_t ret[static DIAG_QUESTION_MAX]);
