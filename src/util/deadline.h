/* SPDX-License-Identifier: MIT */
/* A queue of deadlines, in order of time, with one timer. Usually all objects in a queue get the
 * same time limit, so a new deadline is the latest one, and goes to the end. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

/* Returns the time (CLOCK_MONOTONIC) at which this turn of the event loop began. */
static inline uint64_t event_now(sd_event *event)
{
        uint64_t now = 0;

        (void)sd_event_now(event, CLOCK_MONOTONIC, &now);
        return now;
}

/* Make this a member of the object that has a deadline. */
typedef struct Deadline {
        uint64_t usec; /* CLOCK_MONOTONIC */
        TAILQ_ENTRY(Deadline) link;
} Deadline;

typedef struct DeadlineQueue {
        TAILQ_HEAD(DeadlineList, Deadline) list;
        size_t n;
        sd_event_source *timer;
        void (*on_passed)(Deadline *deadline);
} DeadlineQueue;

/* When a deadline has passed, the queue calls on_passed(), which must remove the deadline from the
 * queue. */
int deadline_queue_init(DeadlineQueue *queue, sd_event *event,
                        void (*on_passed)(Deadline *deadline));

/* Treats all remaining deadlines as passed, and then frees the timer. */
void deadline_queue_done(DeadlineQueue *queue);

/* Adds a deadline. Returns 0, or a negative errno if the timer can't be set; the deadline is in the
 * queue in both cases. */
int deadline_queue_add(DeadlineQueue *queue, Deadline *deadline, uint64_t usec);
void deadline_queue_remove(DeadlineQueue *queue, Deadline *deadline);

/* Returns the first deadline, or NULL if the queue is empty. */
static inline Deadline *deadline_queue_first(const DeadlineQueue *queue)
{
        return TAILQ_FIRST(&queue->list);
}
