/* SPDX-License-Identifier: MIT */
/* Limits how often the router logs each kind of line. Each kind has its own limit, so lines that
 * any client can cause do not suppress lines of other kinds. A kind that concerns an instance also
 * has a limit for each instance. */
#pragma once

#include "util/log-limit.h"
#include "util/log.h"

typedef enum LogKind {
        LOG_KIND_ABSENT,         /* nothing listens on an instance's hand-off socket */
        LOG_KIND_QUEUE_FULL,     /* an instance does not receive its hand-offs */
        LOG_KIND_INSTANCE_LIMIT, /* an instance has reached PendingMaxPerInstance= */
        LOG_KIND_START_WAIT,     /* an instance waited because of StartingMax= */
        LOG_KIND_LATE_START,     /* an instance was started, but does not receive its hand-offs */
        LOG_KINDS_OF_INSTANCE,   /* the number of kinds that concern an instance */
        LOG_KIND_PENDING_LIMIT = LOG_KINDS_OF_INSTANCE,
        LOG_KIND_SOURCE_LIMIT,
        LOG_KIND_EXHAUSTED, /* descriptors or memory have run out */
        LOG_KIND_RESPONDER, /* bellhop-acme-tls receives nothing */
        LOG_KIND_REFUSAL,
        LOG_KINDS,
} LogKind;

/* Writes a line. If a limit is reached, counts the line, but does not write it. When the next line
 * of this kind is written, a line before it says how many were left out. of_instance has the
 * limits of the instance that the line concerns, or is NULL. Initialize all limits with { 0 }.
 * fields.message_id is ignored, because it follows from kind. */
void log_limits_write(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                      LogFields fields, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

/* Whether a line may be written now. If a part of the line is expensive to make, call this function
 * first, and if it returns true, make the line and call log_full(). If lines of this kind were left
 * out, this function itself writes a line with these fields that says how many. */
bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                     const LogFields *fields);
