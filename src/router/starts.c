/* SPDX-License-Identifier: MIT */
/*
 * Owns the slots. Nobody tells the router that an instance has started; the instance can't, as it
 * has no way back. But while its service runs, systemd keeps a runtime directory for it; and the
 * kernel knows how much of what a socket has sent is still unread.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "router/router.h"
#include "util/cleanup.h"

/* Who was sent something so recently is not looked after: the hand-offs of a busy site cost nothing
 * here. */
#define HOT_USEC (1 * UINT64_C(1000000))

/* One that can't start, or hangs, must not keep its slot from the others for ever. */
#define SLOT_USEC (5 * UINT64_C(1000000))

/* Who waits so long for a slot need not be told of. */
#define HARMLESS_USEC (3 * UINT64_C(1000000))

#define ACCURACY_USEC 10000

/* An unread datagram is charged to its sender's socket by more than this. */
#define CHARGE_MIN 256

/* Starting is mostly the processor's work. More at once than this end no sooner, and hold up all
 * else on the machine. */
#define STARTING_PER_PROCESSOR 2
#define STARTING_LEAST         4

/* RuntimeDirectory= of bellhop@.service, in a folder of root's. */
static bool instance_runs(const Outlet *outlet)
{
        _cleanup_free_ char *path = NULL;

        if (asprintf(&path, "%s-instance/%s", outlet->router->runtime_dir, outlet->name) < 0) {
                path = NULL;
                return false;
        }
        return access(path, F_OK) == 0;
}

static int unread_bytes(const Outlet *outlet)
{
        int n = 0;

        return outlet->fd >= 0 && ioctl(outlet->fd, SIOCOUTQ, &n) == 0 ? n : 0;
}

static bool has_free_slot(const Starts *starts, bool late)
{
        /* Those that don't come up shall not take all slots from those that would. */
        return starts->n_starting < starts->max &&
               (!late || starts->n_late < (starts->max + 1) / 2);
}

/* Whose turn it is; NULL: nobody's. */
static Outlet *next_outlet(const Starts *starts)
{
        if (has_free_slot(starts, false) && !TAILQ_EMPTY(&starts->waiting))
                return TAILQ_FIRST(&starts->waiting);
        return has_free_slot(starts, true) ? TAILQ_FIRST(&starts->waiting_late) : NULL;
}

static void arm_next(const Starts *starts)
{
        if (next_outlet(starts))
                (void)sd_event_source_set_enabled(starts->next, SD_EVENT_ONESHOT);
}

static void arm_limit(const Starts *starts)
{
        const Outlet *first = TAILQ_FIRST(&starts->starting);

        if (first &&
            sd_event_source_set_time(starts->limit, first->start.since_usec + SLOT_USEC) >= 0)
                (void)sd_event_source_set_enabled(starts->limit, SD_EVENT_ONESHOT);
        if (!first)
                (void)sd_event_source_set_enabled(starts->limit, SD_EVENT_OFF);
}

static void enter(Outlet *outlet, StartState state)
{
        outlet->start.state = state;
        outlet->start.since_usec = router_now(outlet->router);
}

static OutletQueue *queue_of(Starts *starts, const Outlet *outlet)
{
        return outlet->start.is_late ? &starts->waiting_late : &starts->waiting;
}

static void enter_queue(Starts *starts, Outlet *outlet)
{
        enter(outlet, START_WAITING);
        TAILQ_INSERT_TAIL(queue_of(starts, outlet), outlet, start.link);
}

static void leave_queue(Starts *starts, Outlet *outlet)
{
        const uint64_t waited = router_now(outlet->router) - outlet->start.since_usec;
        LogFields fields;

        TAILQ_REMOVE(queue_of(starts, outlet), outlet, start.link);
        enter(outlet, START_NONE);
        if (waited > HARMLESS_USEC &&
            trouble_pass(outlet->router, TROUBLE_START_WAIT, outlet, &fields))
                log_full(LOG_NOTICE, &fields,
                         "visitors of %s waited %.1f s because %zu other instances, which is the "
                         "most (StartingMax=), were starting",
                         outlet->name, (double)waited / 1e6, starts->max);
}

static void take_slot(Starts *starts, Outlet *outlet)
{
        enter(outlet, START_HAS_SLOT);
        outlet->start.unread_bytes = unread_bytes(outlet);
        TAILQ_INSERT_TAIL(&starts->starting, outlet, start.link);
        starts->n_late += outlet->start.is_late;
        if (starts->n_starting++ == 0)
                arm_limit(starts);
}

static void leave_slot(Starts *starts, Outlet *outlet)
{
        const bool was_first = outlet == TAILQ_FIRST(&starts->starting);

        TAILQ_REMOVE(&starts->starting, outlet, start.link);
        starts->n_late -= outlet->start.is_late;
        starts->n_starting--;
        enter(outlet, START_NONE);
        (void)outlet_watch(outlet);
        if (was_first)
                arm_limit(starts);
        arm_next(starts);
}

void starts_forget(Outlet *outlet)
{
        Starts *starts = &outlet->router->starts;

        switch (outlet->start.state) {
        case START_NONE:
                break;
        case START_WAITING:
                leave_queue(starts, outlet);
                break;
        case START_HAS_SLOT:
                leave_slot(starts, outlet);
                break;
        }
}

bool starts_may_send(Outlet *outlet)
{
        Starts *starts = &outlet->router->starts;
        const Start *start = &outlet->start;

        if (start->state != START_NONE)
                return start->state == START_HAS_SLOT;
        if (router_now(outlet->router) - start->sent_usec < HOT_USEC || instance_runs(outlet))
                return true;
        if (TAILQ_EMPTY(queue_of(starts, outlet)) && has_free_slot(starts, start->is_late)) {
                take_slot(starts, outlet);
                return true;
        }
        enter_queue(starts, outlet);
        return false;
}

static void has_received(Outlet *outlet)
{
        leave_slot(&outlet->router->starts, outlet);
        outlet->start.is_late = false;
}

void starts_sent(Outlet *outlet)
{
        const uint64_t now = router_now(outlet->router);
        Start *start = &outlet->start;
        int unread;

        if (start->state == START_HAS_SLOT) {
                if (start->sent_usec < start->since_usec) {
                        outlet->router->metrics.starts++;
                        outlet->metrics.starts++;
                }
                unread = unread_bytes(outlet);
                if (unread < start->unread_bytes + CHARGE_MIN)
                        has_received(outlet);
                else
                        (void)outlet_watch(outlet);
                start->unread_bytes = unread;
        }
        start->sent_usec = now;
}

void starts_look(Outlet *outlet)
{
        if (outlet->start.state == START_HAS_SLOT &&
            unread_bytes(outlet) < outlet->start.unread_bytes)
                has_received(outlet);
}

static void give_up(Outlet *outlet)
{
        Router *router = outlet->router;
        LogFields fields;

        router->metrics.late_starts++;
        outlet->metrics.late_starts++;
        leave_slot(&router->starts, outlet);
        outlet->start.is_late = true;
        /* What comes next needs a slot again, unless it runs. */
        outlet->start.sent_usec = 0;
        if (trouble_pass(router, TROUBLE_LATE_START, outlet, &fields))
                log_full(LOG_WARNING, &fields,
                         "%s was started by a visitor and received nobody for %d s: systemctl "
                         "status bellhop@%s.service",
                         outlet->name, (int)(SLOT_USEC / 1000000), outlet->name);
}

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
        Starts *starts = userdata;
        Outlet *outlet;

        while ((outlet = TAILQ_FIRST(&starts->starting)) &&
               outlet->start.since_usec + SLOT_USEC <= router_now(outlet->router)) {
                starts_look(outlet);
                if (outlet->start.state == START_HAS_SLOT)
                        give_up(outlet);
        }
        arm_limit(starts);
        return 0;
}

/* An event of its own, as flushing one may free the slot for the next, and so on. */
static int on_next(sd_event_source *source, void *userdata)
{
        Starts *starts = userdata;
        Outlet *outlet;

        while ((outlet = next_outlet(starts))) {
                leave_queue(starts, outlet);
                if (outlet->n_waiting == 0)
                        continue;
                take_slot(starts, outlet);
                outlet_flush(outlet);
        }
        return 0;
}

int starts_init(Starts *starts, sd_event *event)
{
        int r;

        TAILQ_INIT(&starts->starting);
        TAILQ_INIT(&starts->waiting);
        TAILQ_INIT(&starts->waiting_late);
        r = sd_event_add_time(event, &starts->limit, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_USEC,
                              on_limit, starts);
        if (r >= 0)
                r = sd_event_source_set_enabled(starts->limit, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_event_add_defer(event, &starts->next, on_next, starts);
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
        arm_next(starts);
}
