/* SPDX-License-Identifier: MIT */
/* The reasons to refuse a connection. Each reason has a TLS alert and an HTTP error. Pure. */
#pragma once

#include "handoff/bellhop.h"
#include "util/span.h"

typedef enum RefuseReason {
        REFUSE_UNKNOWN_HOST,
        REFUSE_NO_HOST,
        REFUSE_MALFORMED,
        REFUSE_TOO_LARGE,
        REFUSE_TIMEOUT,
        REFUSE_UNAVAILABLE,
        REFUSE_OVERLOAD,
        REFUSE_SOURCE_LIMIT,
        REFUSE_INSTANCE_LIMIT,
        REFUSE_PLAIN_HTTP,
        REFUSE_SUSPENDED,
        REFUSE_REASON_COUNT,
} RefuseReason;

/* Returns the name that the reason has in logs and metrics. */
const char *refuse_reason_name(RefuseReason reason);

/* Returns a text that explains the reason with this name to an administrator. Returns NULL if no
 * reason has this name. */
const char *refuse_reason_cause(const char *name);

/* Whether the reason concerns one instance. If so, each refusal is also counted for this instance.
 */
bool refuse_reason_is_of_instance(RefuseReason reason);

#define REFUSE_REPLY_MAX 512

/* Makes the reply for a refused client, and returns its size. If alert is not 0, it replaces the
 * alert of the reason. */
size_t refuse_reply(RefuseReason reason, enum bellhop_protocol protocol, uint8_t alert,
                    char ret[static REFUSE_REPLY_MAX]);
