/* SPDX-License-Identifier: MIT */
/* An instance can't report its start to the router, so the router uses two other signs. While the
 * service of the instance runs, systemd keeps the instance's runtime folder. When the instance
 * receives a hand-off, fewer unread bytes are left in the hand-off socket (SIOCOUTQ), and an
 * edge-triggered EPOLLOUT wakes the router. */
#include <assert.h>
#include <sys/param.h>
#include <time.h>
#include <unistd.h>

#include "router/starts.h"
#include "util/cleanup.h"

/* Within this time after a hand-off, the router does not check whether the instance runs, so a busy
 * instance costs no checks. */
#define HOT_USEC (1 * UINT64_C(1000000))

/* A wait for a slot is logged only if it takes at least this time. */
#define HARMLESS_USEC (3 * UINT64_C(1000000))

/* The kernel charges more than this number of bytes to the sender's socket for an unread datagram.
 */
#define CHARGE_MIN 256

/* These numbers determine the default of StartingMax=. A start keeps a processor busy, so more
 * simultaneous starts do not finish sooner, but delay everything else. */
#define STARTING_PER_PROCESSOR 2
#define STARTING_LEAST         4

/* Late instances get at most half of the slots, so that instances that fail to start can't take all
 * slots. */
static bool starts_has_free_slot(const Starts *starts, bool late)
{
        return starts->starting.n < starts->max &&
               (!late || starts->n_late < (starts->max + 1) / 2);
}

/* Returns the next instance to get a slot, or NULL. */
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

static void starts_enter(const Starts *starts, Start *start, StartState state)
{
        start->state = state;
        start->since_usec = event_now(starts->event);
}

static StartList *starts_queue_of(Starts *starts, const Start *start)
{
        return start->is_late ? &starts->waiting_late : &starts->waiting;
}

static void starts_leave_queue(Starts *starts, Start *start)
{
        const uint64_t waited = event_now(starts->event) - start->since_usec;

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
        start->starts = starts;
        (void)deadline_queue_add(&starts->starting, &start->deadline,
                                 start->since_usec + START_SLOT_USEC);
        starts->n_late += start->is_late;
}

static void starts_leave_slot(Starts *starts, Start *start, bool is_late)
{
        assert(start->state == START_HAS_SLOT);
        deadline_queue_remove(&starts->starting, &start->deadline);
        starts->n_late -= start->is_late;
        starts_enter(starts, start, START_NONE);
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
        if (event_now(starts->event) - start->sent_usec < HOT_USEC || starts->hooks->runs(start))
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
        start->sent_usec = event_now(starts->event);
        return is_first;
}

void starts_look(Starts *starts, Start *start)
{
        if (start->state == START_HAS_SLOT &&
            starts->hooks->unread_bytes(start) < start->unread_bytes)
                starts_has_received(starts, start);
}

static void starts_on_passed(Deadline *deadline)
{
        Start *start = container_of(deadline, Start, deadline);

        starts_look(start->starts, start);
        if (start->state != START_HAS_SLOT)
                return;
        starts_leave_slot(start->starts, start, true);
        start->is_late = true;
        /* Forgets the last hand-off, so that starts_may_send() checks whether the instance runs,
         * and if not, requires a slot again. */
        start->sent_usec = 0;
}

/* Gives free slots to waiting instances. This runs as a separate event, and not at once when a slot
 * is released, because on_turn() itself may release a slot. */
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
        TAILQ_INIT(&starts->waiting);
        TAILQ_INIT(&starts->waiting_late);
        r = deadline_queue_init(&starts->starting, event, starts_on_passed);
        if (r >= 0)
                r = sd_event_add_defer(event, &starts->next, starts_on_next, starts);
        if (r >= 0)
                r = sd_event_source_set_enabled(starts->next, SD_EVENT_OFF);
        return r;
}

void starts_done(Starts *starts)
{
        deadline_queue_done(&starts->starting);
        starts->next = sd_event_source_disable_unref(starts->next);
}

void starts_set_max(Starts *starts, size_t setting)
{
        const long processors = sysconf(_SC_NPROCESSORS_ONLN);

        starts->max = setting > 0
                              ? setting
                              : (size_t)MAX(processors * STARTING_PER_PROCESSOR, STARTING_LEAST);
        starts_arm_next(starts);
}
