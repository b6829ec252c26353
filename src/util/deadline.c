/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <time.h>

#include "util/deadline.h"

static int deadline_arm(DeadlineQueue *queue)
{
        const int r = sd_event_source_set_time(queue->timer, deadline_queue_first(queue)->usec);

        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_ONESHOT);
}

static void deadline_pass(DeadlineQueue *queue, uint64_t now)
{
        Deadline *first;

        while ((first = deadline_queue_first(queue)) && first->usec <= now) {
                const size_t n = queue->n;

                queue->on_passed(first);
                assert(queue->n < n);
        }
}

static int deadline_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        DeadlineQueue *queue = userdata;

        deadline_pass(queue, event_now(sd_event_source_get_event(source)));
        return queue->n > 0 ? deadline_arm(queue) : 0;
}

int deadline_queue_init(DeadlineQueue *queue, sd_event *event,
                        void (*on_passed)(Deadline *deadline))
{
        int r;

        *queue = (DeadlineQueue){ .on_passed = on_passed };
        TAILQ_INIT(&queue->list);
        r = sd_event_add_time(event, &queue->timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
                              deadline_on_timer, queue);
        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_OFF);
}

void deadline_queue_done(DeadlineQueue *queue)
{
        deadline_pass(queue, UINT64_MAX);
        queue->timer = sd_event_source_disable_unref(queue->timer);
}

/* Searches from the end of the queue: a new deadline belongs at the end, unless its object got a
 * shorter time limit than earlier objects. */
int deadline_queue_add(DeadlineQueue *queue, Deadline *deadline, uint64_t usec)
{
        Deadline *before = TAILQ_LAST(&queue->list, DeadlineList);

        assert(queue->timer);
        deadline->usec = usec;
        while (before && before->usec > usec)
                before = TAILQ_PREV(before, DeadlineList, link);
        if (before)
                TAILQ_INSERT_AFTER(&queue->list, before, deadline, link);
        else
                TAILQ_INSERT_HEAD(&queue->list, deadline, link);
        queue->n++;
        return before ? 0 : deadline_arm(queue);
}

void deadline_queue_remove(DeadlineQueue *queue, Deadline *deadline)
{
        assert(queue->n > 0);
        TAILQ_REMOVE(&queue->list, deadline, link);
        queue->n--;
}
