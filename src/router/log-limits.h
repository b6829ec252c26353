/* SPDX-License-Identifier: MIT */
/*
 * How often the router writes each kind of line to the log. Each kind has a limit of its own, so
 * that one that any client can cause hides no other, and where it concerns an instance, one for
 * each instance too.
 */
#pragma once

#include "util/log.h"

typedef enum LogKind {
        LOG_KIND_ABSENT,         /* nobody owns the hand-off socket of an instance */
        LOG_KIND_QUEUE_FULL,     /* an instance does not receive what it is handed */
        LOG_KIND_INSTANCE_LIMIT, /* PendingMaxPerInstance= */
        LOG_KIND_START_WAIT,     /* an instance waited because of StartingMax= */
        LOG_KIND_LATE_START,     /* an instance was started and does not receive */
        LOG_KINDS_OF_INSTANCE,   /* how many concern an instance */
        LOG_KIND_PENDING_LIMIT = LOG_KINDS_OF_INSTANCE,
        LOG_KIND_SOURCE_LIMIT,
        LOG_KIND_EXHAUSTED, /* descriptors or memory */
        LOG_KIND_REFUSAL,
        LOG_KINDS,
} LogKind;

void log_limits_init(LogLimit limits[static LOG_KINDS]);
void log_limits_init_instance(LogLimit limits[static LOG_KINDS_OF_INSTANCE]);

/* Whether a line of that kind may be written now, and the fields for it. Writes how many were left
 * out before. of_instance, name: of the instance that it concerns, or NULL. */
bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, const char *name,
                     LogKind kind, uint64_t now_usec, LogFields *ret);
