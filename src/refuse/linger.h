/* SPDX-License-Identifier: MIT */
/* Keeps a refused connection open for a moment, until the client has received the reply and closes
 * its side. */
#pragma once

#include "refuse/refuse.h"
#include "util/deadline.h"

/* The longest time that a refused connection is kept open. */
#define LINGER_USEC (2 * UINT64_C(1000000))

/* The connections that are kept open after the reply. To close all of them, call
 * deadline_queue_done(&queue->deadlines). */
typedef struct LingerQueue {
        sd_event *event; /* not owned */
        DeadlineQueue deadlines;
        size_t max; /* beyond this number, the oldest connection is closed */
} LingerQueue;

int linger_init(LingerQueue *queue, sd_event *event, size_t max);

/* Sends a reply to a client, discards everything that the client still sends, and later closes the
 * connection. Owns fd from now on. */
void linger_reply_consume(LingerQueue *queue, int fd, const char *reply, size_t size);

/* Does the same as linger_reply_consume(), with the reply that refuse_reply() makes for the reason.
 */
void linger_refuse_consume(LingerQueue *queue, int fd, RefuseReason reason,
                           enum bellhop_protocol protocol, uint8_t alert);
