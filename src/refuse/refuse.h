/* SPDX-License-Identifier: MIT */
/* The words in which a connection is refused: a TLS alert or an HTTP error. Pure. */
#pragma once

#include "handoff/bellhop.h"
#include "util/span.h"

typedef enum RefuseReason {
        REFUSE_UNKNOWN_HOST,   /* no instance has it */
        REFUSE_NO_HOST,        /* none was named, and there is no default */
        REFUSE_MALFORMED,      /* neither TLS nor HTTP, or broken */
        REFUSE_TOO_LARGE,      /* no end within SniffMaxBytes= */
        REFUSE_TIMEOUT,        /* no end within SniffTimeoutSec= */
        REFUSE_UNAVAILABLE,    /* the instance can't take it */
        REFUSE_OVERLOAD,       /* PendingMax= is reached, or descriptors or memory have run out */
        REFUSE_SOURCE_LIMIT,   /* PendingMaxPerSource= is reached */
        REFUSE_INSTANCE_LIMIT, /* PendingMaxPerInstance= is reached */
        REFUSE_PLAIN_HTTP,     /* Http=refuse */
        REFUSE_REASON_COUNT,
} RefuseReason;

/* As in logs and counters. */
const char *refuse_reason_name(RefuseReason reason);

/* Whether it may concern one instance: then it is counted for that one too. */
bool refuse_reason_is_of_instance(RefuseReason reason);

#define REFUSE_REPLY_MAX 512

/* The bytes to send. Empty where the protocol has no words for it. */
size_t refuse_reply(RefuseReason reason, enum bellhop_protocol protocol,
                    char ret[static REFUSE_REPLY_MAX]);
