/* SPDX-License-Identifier: MIT */
/* Formats questions to the kernel about TCP connections, and parses the kernel's messages: see
 * sock_diag(7). Makes no system calls. */
#pragma once

#include "util/span.h"

/* The bit mask of the netlink groups in which the kernel reports ends of TCP connections:
 * SKNLGRP_INET_TCP_DESTROY and SKNLGRP_INET6_TCP_DESTROY. ListenNetlink= of bellhop-usage.socket
 * has the same number. */
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
        uint64_t cookie;   /* SO_COOKIE of the socket */
        uint64_t sent;     /* bytes that the peer has acknowledged */
        uint64_t received; /* bytes */
} DiagMessage;

/* Removes the next message from the front of the received data. Returns false if there is none. If
 * a message about a socket has no figures (sent and received), its kind is DIAG_OTHER. */
bool diag_next(Span *rest, DiagMessage *ret);

/* Makes the question for all TCP connections of a family, AF_INET or AF_INET6. Returns the size of
 * the question. */
#define DIAG_QUESTION_MAX 96
size_t diag_question(uint8_t family, uint8_t ret[static DIAG_QUESTION_MAX]);
