/* SPDX-License-Identifier: MIT */
/* Messages to bellhop-usage, one in each datagram. The router reports which instance each
 * connection belongs to. An instance reports the number of its requests. root reports that an
 * instance was removed. Numbers are in the machine's byte order. Makes no system calls. */
#pragma once

#include "util/span.h"

/* The name of the socket for the router and root, in the runtime folder (/run/bellhop). */
#define USAGE_SOCKET "usage"

/* Room for the longest name of an instance and the terminating NUL. */
#define USAGE_NAME_MAX 32

#define USAGE_RECORDS_MAX 64

/* While connections arrive quickly, the router sends only one message in this time, because each
 * message wakes bellhop-usage. The router's timer may be late by up to the same time, so a report
 * may wait for twice this time. */
#define USAGE_SPACING_USEC 20000

typedef enum UsageKind {
        USAGE_HANDOFFS = 1, /* number: SO_COOKIE of the connection */
        USAGE_REQUESTS,     /* number: requests since the start of the instance */
        USAGE_ENDED,        /* the instance was removed: later counts belong to another customer */
        USAGE_KINDS,
} UsageKind;

typedef struct UsageRecord {
        uint64_t number;
        char instance[USAGE_NAME_MAX]; /* filled up with NULs */
        uint64_t n_received; /* bytes that the connection had received, or a smaller number */
} UsageRecord;

typedef struct UsageMessage {
        char magic[4];
        uint8_t kind;    /* UsageKind */
        uint8_t n;       /* number of records */
        uint8_t is_last; /* the router ends, and has reported all hand-offs */
        uint8_t unused;
        uint64_t n_lost; /* hand-offs that could not be reported since the last message */
        UsageRecord records[USAGE_RECORDS_MAX];
} UsageMessage;

/* Makes a message without records; the caller adds them. */
void usage_message_init(UsageMessage *message, UsageKind kind);
size_t usage_message_size(const UsageMessage *message);

/* Returns false if the datagram is malformed. Does not check whether the instances that it names
 * exist. */
bool usage_message_parse(Span datagram, UsageMessage *ret);
