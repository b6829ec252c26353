/* SPDX-License-Identifier: MIT */
/*
 * Owns the slots. An instance has no way back to the router, so it cannot report that it has
 * started. But while its service runs, systemd keeps a runtime folder for it; and the kernel knows
 * how much of what a connected datagram socket has sent is unread (SIOCOUTQ): when that shrinks, an
 * edge-triggered EPOLLOUT wakes the router, and the instance has received. An instance that was
 * handed something within the last second is not looked at, so a busy one costs nothing here.
 */
#include <assert.h>
#include <time.h>
#include <unistd.h>

#include "router/starts.h"

/* See above. */
#define HOT_USEC (1 * UINT64_C(1000000))

/* A shorter wait for a slot is not worth a line in the log. */
#define HARMLESS_USEC (3 * UINT64_C(1000000))

#define ACCURACY_USEC 10000

/* An unread datagram is charged to its sender's socket by more than this. */
#define CHARGE_MIN 256

/* Starting is mostly the processor's work. More at once than this end no sooner, and hold up all
 * else on the machine. */
#define STARTING_PER_PROCESSOR 2
#define STARTING_LEAST         4

static uint64_t starts_now(const Starts *starts)
{
        uint64_t now = 0;

        (void)sd_event_now(starts->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* Instances that do not come up shall not take all slots from those that would. */
static bool starts_has_free_slot(const Starts *starts, bool late)
{
        return starts->n_starting < starts->max &&
               (!late || starts->n_late < (starts->max + 1) / 2);
}

/* Whose turn it is; NULL: nobody's. */
static Start *starts_next(const Starts *starts)
{
        if (starts_has_free_slot(starts, false) && !TAILQ_EMPTY(&starts->waiting))
                return TAILQ_FIRST(&starts->waiting);
        return starts_has_free_slot(starts, true) ? TAILQ_FIRST(&starts->waiting_late) : NULL;
}

static void starts_arm_next(const Starts *starts)
{
        if (starts_next(starts))
                (void)sd_event_source_set_enabled(starts->next, SD_EVENT_ONESHOT);
}

static void starts_arm_limit(const Starts *starts)
{
        const Start *first = TAILQ_FIRST(&starts->starting);

        if (!first)
                (void)sd_event_source_set_enabled(starts->limit, SD_EVENT_OFF);
        else if (sd_event_source_set_time(starts->limit, first->since_usec + START_SLOT_USEC) >= 0)
                (void)sd_event_source_set_enabled(starts->limit, SD_EVENT_ONESHOT);
}

static void starts_enter(const Starts *starts, Start *start, StartState state)
{
        start->state = state;
        start->since_usec = starts_now(starts);
}

static StartList *starts_queue_of(Starts *starts, const Start *start)
{
        return start->is_late ? &starts->waiting_late : &starts->waiting;
}

static void starts_leave_queue(Starts *starts, Start *start)
{
        const uint64_t waited = starts_now(starts) - start->since_usec;

        assert(start->state == START_WAITING);
        TAILQ_REMOVE(starts_queue_of(starts, start), start, link);
        starts_enter(starts, start, START_NONE);
        if (waited > HARMLESS_USEC)
                starts->hooks->on_waited(start, waited);
}

static void starts_take_slot(Starts *starts, Start *start)
{
        assert(start->state == START_NONE);
        starts_enter(starts, start, START_HAS_SLOT);
        start->unread_bytes = starts->hooks->unread_bytes(start);
        TAILQ_INSERT_TAIL(&starts->starting, start, link);
        starts->n_late += start->is_late;
        if (starts->n_starting++ == 0)
                starts_arm_limit(starts);
}

static void starts_leave_slot(Starts *starts, Start *start, bool is_late)
{
        const bool was_first = start == TAILQ_FIRST(&starts->starting);

        assert(start->state == START_HAS_SLOT && starts->n_starting > 0);
        TAILQ_REMOVE(&starts->starting, start, link);
        starts->n_late -= start->is_late;
        starts->n_starting--;
        starts_enter(starts, start, START_NONE);
        if (was_first)
                starts_arm_limit(starts);
        starts_arm_next(starts);
        starts->hooks->on_left(start, is_late);
}

void starts_forget(Starts *starts, Start *start)
{
        switch (start->state) {
        case START_NONE:
                break;
        case START_WAITING:
                starts_leave_queue(starts, start);
                break;
        case START_HAS_SLOT:
                starts_leave_slot(starts, start, false);
                break;
        }
}

bool starts_may_send(Starts *starts, Start *start)
{
        StartList *queue = starts_queue_of(starts, start);

        assert(starts->max > 0);
        if (start->state != START_NONE)
                return start->state == START_HAS_SLOT;
        if (starts_now(starts) - start->sent_usec < HOT_USEC || starts->hooks->runs(start))
                return true;
        if (TAILQ_EMPTY(queue) && starts_has_free_slot(starts, start->is_late)) {
                starts_take_slot(starts, start);
                return true;
        }
        starts_enter(starts, start, START_WAITING);
        TAILQ_INSERT_TAIL(queue, start, link);
        return false;
}

static void starts_has_received(Starts *starts, Start *start)
{
        starts_leave_slot(starts, start, false);
        start->is_late = false;
}

bool starts_sent(Starts *starts, Start *start)
{
        bool is_first = false;
        int unread;

        assert(start->state != START_WAITING);
        if (start->state == START_HAS_SLOT) {
                is_first = start->sent_usec < start->since_usec;
                unread = starts->hooks->unread_bytes(start);
                if (unread < start->unread_bytes + CHARGE_MIN)
                        starts_has_received(starts, start);
                start->unread_bytes = unread;
        }
        start->sent_usec = starts_now(starts);
        return is_first;
}

void starts_look(Starts *starts, Start *start)
{
        if (start->state == START_HAS_SLOT &&
            starts->hooks->unread_bytes(start) < start->unread_bytes)
                starts_has_received(starts, start);
}

static int starts_on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        Starts *starts = userdata;
        const uint64_t now = starts_now(starts);
        Start *first;

        while ((first = TAILQ_FIRST(&starts->starting)) &&
               first->since_usec + START_SLOT_USEC <= now) {
                starts_look(starts, first);
                if (first->state != START_HAS_SLOT)
                        continue;
                starts_leave_slot(starts, first, true);
                first->is_late = true;
                /* What comes next needs a slot again, unless it runs. */
                first->sent_usec = 0;
        }
        starts_arm_limit(starts);
        return 0;
}

/* An event of its own, as sending to one may free the slot for the next, and so on. */
static int starts_on_next(sd_event_source *source, void *userdata)
{
        Starts *starts = userdata;
        Start *start;

        while ((start = starts_next(starts))) {
                starts_leave_queue(starts, start);
                starts_take_slot(starts, start);
                starts->hooks->on_turn(start);
        }
        return 0;
}

int starts_init(Starts *starts, sd_event *event, const StartHooks *hooks)
{
        int r;

        *starts = (Starts){ .hooks = hooks, .event = event };
        TAILQ_INIT(&starts->starting);
        TAILQ_INIT(&starts->waiting);
        TAILQ_INIT(&starts->waiting_late);
        r = sd_event_add_time(event, &starts->limit, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC,
                              starts_on_limit, starts);
        if (r >= 0)
                r = sd_event_add_defer(event, &starts->next, starts_on_next, starts);
        if (r >= 0)
                r = sd_event_source_set_enabled(starts->next, SD_EVENT_OFF);
        return r;
}

void starts_done(Starts *starts)
{
        starts->limit = sd_event_source_disable_unref(starts->limit);
        starts->next = sd_event_source_disable_unref(starts->next);
}

void starts_set_max(Starts *starts, size_t setting)
{
        const long processors = sysconf(_SC_NPROCESSORS_ONLN);

        starts->max = setting;
        if (setting == 0) {
                starts->max = processors > 0 ? (size_t)processors * STARTING_PER_PROCESSOR : 0;
                if (starts->max < STARTING_LEAST)
                        starts->max = STARTING_LEAST;
        }
        starts_arm_next(starts);
}
