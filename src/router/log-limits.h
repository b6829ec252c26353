/* SPDX-License-Identifier: MIT */
/* Limits how often the router logs each kind of line. Each kind has its own limit, so lines that
 * any client can cause hide no other lines. A kind that concerns an instance also has a limit for
 * each instance. */
#pragma once

#include "util/log-limit.h"
#include "util/log.h"

typedef enum LogKind {
        LOG_KIND_ABSENT,         /* nothing listens on an instance's hand-off socket */
        LOG_KIND_QUEUE_FULL,     /* an instance does not receive its hand-offs */
        LOG_KIND_INSTANCE_LIMIT, /* PendingMaxPerInstance= */
        LOG_KIND_START_WAIT,     /* an instance waited because of StartingMax= */
        LOG_KIND_LATE_START,     /* an instance was started and does not receive */
        LOG_KINDS_OF_INSTANCE,   /* the number of kinds that concern an instance */
        LOG_KIND_PENDING_LIMIT = LOG_KINDS_OF_INSTANCE,
        LOG_KIND_SOURCE_LIMIT,
        LOG_KIND_EXHAUSTED, /* descriptors or memory */
        LOG_KIND_RESPONDER, /* bellhop-acme-tls receives nothing */
        LOG_KIND_REFUSAL,
        LOG_KINDS,
} LogKind;

/* Writes a line, or counts it for the next one of its kind. of_instance: the limits of the instance
 * that the line concerns, or NULL. Limits begin as { 0 }. The caller sets all fields except
 * message_id. */
void log_limits_write(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                      LogFields fields, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Whether a line may be written, for callers whose fields are expensive to make. */
bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                     const LogFields *fields);
