/* SPDX-License-Identifier: MIT */
/*
 * Connections in the order of their deadlines, and the one timer that they need. All that wait for
 * the same thing have the same time limit, so a new one goes to the end.
 */
#pragma once

#include <sys/queue.h>
#include <systemd/sd-event.h>

typedef struct Conn Conn;

typedef TAILQ_HEAD(ConnQueue, Conn) ConnQueue;

typedef struct DeadlineQueue {
        ConnQueue conns;
        size_t n;
        sd_event_source *timer;
} DeadlineQueue;

int deadline_queue_init(DeadlineQueue *queue, sd_event *event);

/* Frees what is still in it. */
void deadline_queue_done(DeadlineQueue *queue);

/* The connection's deadline is set; conn_on_deadline() is called when it has passed. */
int deadline_queue_add(DeadlineQueue *queue, Conn *conn);
void deadline_queue_remove(DeadlineQueue *queue, Conn *conn);
