/* SPDX-License-Identifier: MIT */
/* What bellhop-usage is told, a datagram each: by the router, which connection belongs to which
 * instance; by an instance, how many requests it has had; by root, that an instance
 * has ended for good. Numbers are in the machine's byte order. Pure. */
#pragma once

#include "util/span.h"

/* Below the runtime folder, for the router and root. */
#define USAGE_SOCKET "usage"

/* Room for the longest name of an instance and the terminating NUL. */
#define USAGE_NAME_MAX 32

#define USAGE_RECORDS_MAX 64

/* Between two messages of the router while connections come fast, as each wakes bellhop-usage. Its
 * timer may be late by as much. */
#define USAGE_SPACING_USEC 20000

typedef enum UsageKind {
        USAGE_HANDOFFS = 1, /* number: SO_COOKIE of the connection */
        USAGE_REQUESTS,     /* number: how many since the start of the instance */
        USAGE_ENDED,        /* what is counted later is another customer's */
        USAGE_KINDS,
} UsageKind;

typedef struct UsageRecord {
        uint64_t number;
        char instance[USAGE_NAME_MAX]; /* filled up with NULs */
        uint64_t n_received;           /* bytes that the connection had received, or fewer */
} UsageRecord;

typedef struct UsageMessage {
        char magic[4];
        uint8_t kind;    /* UsageKind */
        uint8_t n;       /* records */
        uint8_t is_last; /* the router ends, and leaves nothing untold */
        uint8_t unused;
        uint64_t n_lost; /* hand-offs that could not be told since the last message */
        UsageRecord records[USAGE_RECORDS_MAX];
} UsageMessage;

/* A message without records; the caller adds them. */
void usage_message_init(UsageMessage *message, UsageKind kind);
size_t usage_message_size(const UsageMessage *message);

/* False: it is not of that form. The names need not be those of instances. */
bool usage_message_parse(Span datagram, UsageMessage *ret);
