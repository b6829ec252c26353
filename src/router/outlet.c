/* SPDX-License-Identifier: MIT */
/*
 * Owns the hand-off sockets as the router sees them. Never receives: an instance has no way back.
 */
#include <sys/socket.h>

#include "router/router.h"
#include "util/cleanup.h"

static int outlet_on_writable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        starts_look(userdata);
        outlet_flush(userdata);
        return 0;
}

Outlet *outlet_new(Router *router, const char *name)
{
        Outlet *outlet = calloc(1, sizeof(*outlet));

        if (!outlet)
                return NULL;
        outlet->router = router;
        outlet->fd = -EBADF;
        trouble_init_outlet(outlet->trouble_log);
        TAILQ_INIT(&outlet->waiting);
        outlet->name = strdup(name);
        return outlet->name ? outlet : outlet_free(outlet);
}

static void outlet_disconnect(Outlet *outlet)
{
        outlet->writable = sd_event_source_disable_unref(outlet->writable);
        outlet->fd = close_fd(outlet->fd);
}

Outlet *outlet_free(Outlet *outlet)
{
        if (!outlet)
                return NULL;
        while (!TAILQ_EMPTY(&outlet->waiting))
                conn_refuse(TAILQ_FIRST(&outlet->waiting), REFUSE_UNAVAILABLE);
        starts_forget(outlet);
        outlet_disconnect(outlet);
        free(outlet->name);
        free(outlet);
        return NULL;
}

/* The socket is writable when too many descriptors are under way, and when the instance has yet to
 * start: waiting for that would spin. */
int outlet_watch(Outlet *outlet)
{
        const bool for_room =
                outlet->n_waiting > 0 && !outlet->in_flight && outlet->start.state != START_WAITING;
        const bool for_start = outlet->start.state == START_HAS_SLOT;
        int r;

        if (!outlet->writable)
                return 0;
        if (!for_room && !for_start)
                return sd_event_source_set_enabled(outlet->writable, SD_EVENT_OFF);
        /* Edge-triggered, it tells each time that something was received. */
        r = sd_event_source_set_io_events(outlet->writable,
                                          for_room ? EPOLLOUT : EPOLLOUT | EPOLLET);
        return r < 0 ? r : sd_event_source_set_enabled(outlet->writable, SD_EVENT_ON);
}

/* What a datagram with a descriptor and an ordinary host takes of SO_SNDBUF; with a long host it is
 * more, and fewer are under way. The kernel doubles what is set: socket(7). */
#define DATAGRAM_CHARGE 768

void outlet_bound_in_flight(Outlet *outlet)
{
        const int size = (int)(outlet->router->in_flight_max * DATAGRAM_CHARGE / 2);

        if (outlet->fd >= 0)
                (void)setsockopt(outlet->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int outlet_connect(Outlet *outlet)
{
        _cleanup_free_ char *path = NULL;
        int r;

        if (asprintf(&path, "%s/%s.handoff", outlet->router->runtime_dir, outlet->name) < 0)
                return -ENOMEM;
        outlet->fd = bellhop_connect(path);
        if (outlet->fd < 0)
                return outlet->fd;
        outlet_bound_in_flight(outlet);

        r = sd_event_add_io(outlet->router->event, &outlet->writable, outlet->fd, EPOLLOUT,
                            outlet_on_writable, outlet);
        if (r >= 0)
                r = outlet_watch(outlet);
        if (r < 0)
                outlet_disconnect(outlet);
        return r;
}

static void outlet_complain(Outlet *outlet, int error)
{
        LogFields fields;

        if (!trouble_pass(outlet->router, TROUBLE_ABSENT, outlet, &fields))
                return;
        errno = -error;
        log_full(LOG_WARNING, &fields,
                 "nobody takes hand-offs for %s (%m); its visitors get 503 until bellhop@%s.socket "
                 "runs: systemctl "
                 "start bellhop@%s.socket",
                 outlet->name, outlet->name, outlet->name);
}

/* 0: the queue has it. BELLHOP_SEND_FULL, BELLHOP_SEND_IN_FLIGHT: later. Negative: never. */
static int outlet_try(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        int r = 0;

        /* The socket unit may have been started anew since the last time: then connecting helps,
         * once. */
        for (int i = 0; i < 2; i++) {
                if (outlet->fd < 0)
                        r = outlet_connect(outlet);
                if (r < 0)
                        return r;
                r = bellhop_send(outlet->fd, handoff, fd);
                if (r != BELLHOP_SEND_GONE)
                        return r;
                outlet_disconnect(outlet);
                r = 0;
        }
        return -ECONNREFUSED;
}

static OutletResult outlet_attempt(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        int r;

        if (!starts_may_send(outlet))
                return OUTLET_WAIT;
        r = outlet_try(outlet, handoff, fd);
        outlet->in_flight = r == BELLHOP_SEND_IN_FLIGHT;
        if (r == 0) {
                starts_sent(outlet);
                return OUTLET_SENT;
        }
        if (r == BELLHOP_SEND_FULL)
                return OUTLET_WAIT;
        if (r == BELLHOP_SEND_IN_FLIGHT) {
                /* No event tells when others have received theirs. */
                router_retry_later(outlet->router);
                return OUTLET_WAIT;
        }
        starts_forget(outlet);
        outlet_complain(outlet, r);
        return OUTLET_ABSENT;
}

OutletResult outlet_send(Outlet *outlet, const struct bellhop_handoff *handoff, int fd)
{
        if (outlet->n_waiting > 0)
                return OUTLET_WAIT;
        return outlet_attempt(outlet, handoff, fd);
}

void outlet_flush(Outlet *outlet)
{
        Conn *conn;

        while ((conn = TAILQ_FIRST(&outlet->waiting))) {
                switch (outlet_attempt(outlet, conn->handoff, conn->fd)) {
                case OUTLET_SENT:
                        conn_handed_off(conn);
                        break;
                case OUTLET_ABSENT:
                        conn_refuse(conn, REFUSE_UNAVAILABLE);
                        break;
                case OUTLET_WAIT:
                        (void)outlet_watch(outlet);
                        return;
                }
        }
}

static void count_wait(Outlet *outlet)
{
        Router *router = outlet->router;
        LogFields fields;

        if (outlet->start.state == START_WAITING) {
                router->metrics.start_waits++;
                outlet->metrics.start_waits++;
                return;
        }
        if (outlet->in_flight) {
                router->metrics.in_flight_waits++;
                outlet->metrics.in_flight_waits++;
                return;
        }
        router->metrics.queue_full_waits++;
        outlet->metrics.queue_full_waits++;
        if (trouble_pass(router, TROUBLE_QUEUE_FULL, outlet, &fields))
                log_full(LOG_NOTICE, &fields,
                         "the hand-off socket of %s is full; its visitors wait until it receives: "
                         "systemctl status bellhop@%s.service",
                         outlet->name, outlet->name);
}

int outlet_enqueue(Outlet *outlet, Conn *conn)
{
        TAILQ_INSERT_TAIL(&outlet->waiting, conn, by_outlet);
        outlet->n_waiting++;
        conn->outlet = outlet;
        count_wait(outlet);
        return outlet_watch(outlet);
}

void outlet_dequeue(Outlet *outlet, Conn *conn)
{
        TAILQ_REMOVE(&outlet->waiting, conn, by_outlet);
        conn->outlet = NULL;
        if (--outlet->n_waiting > 0)
                return;
        if (outlet->start.state == START_WAITING)
                starts_forget(outlet);
        (void)outlet_watch(outlet);
}
