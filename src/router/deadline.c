/* SPDX-License-Identifier: MIT */
/*
 * Owns the time limits of connections. Knows nothing of what they wait for.
 */
#include <stdint.h>
#include <time.h>

#include "router/conn.h"
#include "router/deadline.h"

static int deadline_queue_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int deadline_queue_init(DeadlineQueue *queue, sd_event *event)
{
        int r;

        TAILQ_INIT(&queue->conns);
        r = sd_event_add_time(event, &queue->timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
                              deadline_queue_on_timer, queue);
        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_OFF);
}

void deadline_queue_done(DeadlineQueue *queue)
{
        while (queue->n > 0)
                conn_free(TAILQ_FIRST(&queue->conns));
        queue->timer = sd_event_source_disable_unref(queue->timer);
}

static int deadline_queue_arm(DeadlineQueue *queue)
{
        int r = sd_event_source_set_time(queue->timer, TAILQ_FIRST(&queue->conns)->deadline_usec);

        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_ONESHOT);
}

/* The time limit is the same for all, so the place is at the end but for changes of the setting. */
int deadline_queue_add(DeadlineQueue *queue, Conn *conn)
{
        Conn *before = TAILQ_LAST(&queue->conns, ConnQueue);

        while (before && before->deadline_usec > conn->deadline_usec)
                before = TAILQ_PREV(before, ConnQueue, by_deadline);
        if (before)
                TAILQ_INSERT_AFTER(&queue->conns, before, conn, by_deadline);
        else
                TAILQ_INSERT_HEAD(&queue->conns, conn, by_deadline);
        queue->n++;
        return before ? 0 : deadline_queue_arm(queue);
}

void deadline_queue_remove(DeadlineQueue *queue, Conn *conn)
{
        TAILQ_REMOVE(&queue->conns, conn, by_deadline);
        queue->n--;
}

static int deadline_queue_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        DeadlineQueue *queue = userdata;
        uint64_t now = usec;

        (void)sd_event_now(sd_event_source_get_event(source), CLOCK_MONOTONIC, &now);
        while (queue->n > 0 && TAILQ_FIRST(&queue->conns)->deadline_usec <= now)
                conn_on_deadline(TAILQ_FIRST(&queue->conns));
        return queue->n > 0 ? deadline_queue_arm(queue) : 0;
}
