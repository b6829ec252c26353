/* SPDX-License-Identifier: MIT */
/*
 * Owns a connection from accept to hand-off or refusal: peek, route, hand. Before a hand-off it
 * never reads, writes or keeps a byte; it reads and writes only what it refuses.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "router/look.h"
#include "router/router.h"
#include "util/cleanup.h"
#include "util/peer.h"

/* How much and how long a refused client may still send before it is cut off. Without reading what
 * it sent, close(2) would send a reset, which can destroy our reply on its way (RFC 9112
 * section 9.6). */
#define LINGER_BYTES_MAX (256 * 1024)
#define LINGER_USEC      (2 * UINT64_C(1000000))

#define PORT_HTTPS 443

/* ---- waiting ------------------------------------------------------------------------------- */

static int deadline_queue_on_timer(sd_event_source *source, uint64_t usec, void *userdata);

int deadline_queue_init(DeadlineQueue *queue, Router *router)
{
        int r;

        TAILQ_INIT(&queue->conns);
        r = sd_event_add_time(router->event, &queue->timer, CLOCK_MONOTONIC, UINT64_MAX, 0,
                              deadline_queue_on_timer, queue);
        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_OFF);
}

void deadline_queue_done(DeadlineQueue *queue)
{
        while (queue->n > 0)
                conn_free(TAILQ_FIRST(&queue->conns));
        queue->timer = sd_event_source_disable_unref(queue->timer);
}

static DeadlineQueue *conn_queue(const Conn *conn)
{
        return conn->state == CONN_LINGERING ? &conn->router->lingering : &conn->router->pending;
}

static int deadline_queue_arm(DeadlineQueue *queue)
{
        int r = sd_event_source_set_time(queue->timer, TAILQ_FIRST(&queue->conns)->deadline_usec);

        return r < 0 ? r : sd_event_source_set_enabled(queue->timer, SD_EVENT_ONESHOT);
}

/* The time limit is the same for all, so the place is at the end but for changes of the setting. */
static int deadline_queue_add(DeadlineQueue *queue, Conn *conn)
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

static void deadline_queue_remove(DeadlineQueue *queue, Conn *conn)
{
        TAILQ_REMOVE(&queue->conns, conn, by_deadline);
        queue->n--;
}

static void conn_on_deadline(Conn *conn)
{
        switch (conn->state) {
        case CONN_SNIFFING:
                conn_refuse(conn, REFUSE_TIMEOUT);
                break;
        case CONN_WAITING:
                conn_refuse(conn, REFUSE_UNAVAILABLE);
                break;
        case CONN_LINGERING:
                conn_free(conn);
                break;
        }
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

/* ---- one connection ------------------------------------------------------------------------ */

static Conn *conn_new_consume(Router *router, int fd, uint64_t accepted_nsec)
{
        Conn *conn = calloc(1, sizeof(*conn));

        if (!conn) {
                close_fd(fd);
                return NULL;
        }
        conn->router = router;
        conn->fd = fd;
        conn->accepted_nsec = accepted_nsec;
        conn->deadline_usec = accepted_nsec / 1000 + router->config->router.sniff_timeout_usec;
        conn->state = CONN_SNIFFING;
        if (deadline_queue_add(conn_queue(conn), conn) < 0)
                return conn_free(conn);
        return conn;
}

Conn *conn_free(Conn *conn)
{
        if (!conn)
                return NULL;
        /* Before close: an epoll entry belongs to the description, which may live on in an
         * instance. */
        conn->io = sd_event_source_disable_unref(conn->io);
        if (conn->outlet)
                outlet_dequeue(conn->outlet, conn);
        deadline_queue_remove(conn_queue(conn), conn);
        close_fd(conn->fd);
        free(conn->handoff);
        free(conn);
        return NULL;
}

static void log_refusal(Router *router, int fd, RefuseReason reason, const Outlet *outlet,
                        const char *host)
{
        char peer[PEER_NAME_MAX];
        uint64_t now = 0;
        unsigned left_out;

        (void)sd_event_now(router->event, CLOCK_MONOTONIC, &now);
        if (!log_limit_pass(&router->refusal_log, now, &left_out))
                return;
        if (left_out > 0)
                log_info("%u more refusals were not written to the log", left_out);
        peer_name(fd, peer);
        log_full(LOG_INFO,
                 &(LogFields){ .instance = outlet ? outlet->name : NULL,
                               .host = host[0] ? host : NULL,
                               .peer = peer },
                 host[0] ? "refused %s: %s '%s'" : "refused %s: %s", peer,
                 refuse_reason_name(reason), host);
}

/* A client that waits silently on the port of HTTPS would take an HTTP error for a broken TLS
 * handshake. */
static bool has_words(int fd, enum bellhop_protocol protocol, RefuseReason reason)
{
        Address local;

        return protocol != BELLHOP_PROTOCOL_UNKNOWN || reason == REFUSE_MALFORMED ||
               !look_local_address(fd, &local) || local.port != PORT_HTTPS;
}

/* Throws away what is there to read, at most up to the limit in all. False at the end of input. */
static bool discard_input(int fd, size_t *n_discarded)
{
        while (*n_discarded < LINGER_BYTES_MAX) {
                const ssize_t n =
                        recv(fd, NULL, LINGER_BYTES_MAX - *n_discarded, MSG_TRUNC | MSG_DONTWAIT);

                if (n > 0)
                        *n_discarded += (size_t)n;
                else
                        return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        return false;
}

static void send_refusal(int fd, RefuseReason reason, enum bellhop_protocol protocol)
{
        char reply[REFUSE_REPLY_MAX];
        const size_t size =
                has_words(fd, protocol, reason) ? refuse_reply(reason, protocol, reply) : 0;

        if (size > 0)
                (void)send(fd, reply, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
}

static int conn_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int conn_watch(Conn *conn)
{
        /* Peeked bytes stay readable: level-triggered, half a hello would spin. */
        return sd_event_add_io(conn->router->event, &conn->io, conn->fd,
                               EPOLLIN | EPOLLRDHUP | EPOLLET, conn_on_io, conn);
}

static void conn_linger(Conn *conn)
{
        uint64_t now = 0;

        if (!discard_input(conn->fd, &conn->lingered_bytes) ||
            conn->router->lingering.n >= conn->router->pending_max) {
                conn_free(conn);
                return;
        }
        if (conn->outlet)
                outlet_dequeue(conn->outlet, conn);
        deadline_queue_remove(conn_queue(conn), conn);
        (void)sd_event_now(conn->router->event, CLOCK_MONOTONIC, &now);
        conn->state = CONN_LINGERING;
        conn->deadline_usec = now + LINGER_USEC;
        if (deadline_queue_add(conn_queue(conn), conn) < 0 || (!conn->io && conn_watch(conn) < 0))
                conn_free(conn);
}

/* outlet: where it would have gone, if that is known. */
static void conn_refuse_host(Conn *conn, RefuseReason reason, const Outlet *outlet,
                             const char *host)
{
        size_t n_discarded = 0;

        conn->router->counters.refused[reason]++;
        router_touch_status(conn->router);
        log_refusal(conn->router, conn->fd, reason, outlet, host);
        /* With a low-water mark what trickles in would not be seen. */
        if (conn->low_water_set)
                (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ 1 }, sizeof(int));
        (void)discard_input(conn->fd, &n_discarded);
        send_refusal(conn->fd, reason, conn->protocol);
        conn_linger(conn);
}

void conn_refuse(Conn *conn, RefuseReason reason)
{
        conn_refuse_host(conn, reason, conn->outlet, conn->handoff ? conn->handoff->host : "");
}

static void count_handed_off(Router *router, const struct bellhop_handoff *handoff)
{
        router->counters.handed_off[handoff->reason]++;
        router_touch_status(router);
}

void conn_handed_off(Conn *conn)
{
        count_handed_off(conn->router, conn->handoff);
        conn_free(conn);
}

static void conn_wait_for_outlet(Conn *conn, Outlet *outlet, const struct bellhop_handoff *handoff)
{
        conn->state = CONN_WAITING;
        conn->handoff = malloc(sizeof(*handoff));
        if (conn->handoff)
                *conn->handoff = *handoff;
        if (!conn->handoff || outlet_enqueue(outlet, conn) < 0)
                conn_refuse(conn, REFUSE_OVERLOAD);
}

/* Wakes us not before so many bytes are there. */
static void conn_set_low_water(Conn *conn, size_t bytes)
{
        const int value = (int)bytes;

        if (setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0)
                conn->low_water_set = value != 1;
}

static void conn_wait_for_bytes(Conn *conn, const Look *look)
{
        conn->protocol = look->handoff.protocol;
        if (conn->low_water_set || look->need_bytes > look->n_bytes + 1)
                conn_set_low_water(conn, look->need_bytes);
        if (!conn->io && conn_watch(conn) < 0)
                conn_refuse(conn, REFUSE_OVERLOAD);
}

static void conn_route(Conn *conn, const Look *look)
{
        Outlet *outlet = router_outlet(conn->router, look->instance);

        conn->protocol = look->handoff.protocol;
        if (!outlet) {
                conn_refuse(conn, REFUSE_OVERLOAD);
                return;
        }
        conn->io = sd_event_source_disable_unref(conn->io);
        if (conn->low_water_set)
                conn_set_low_water(conn, 1);

        switch (outlet_send(outlet, &look->handoff, conn->fd)) {
        case OUTLET_SENT:
                count_handed_off(conn->router, &look->handoff);
                conn_free(conn);
                break;
        case OUTLET_WAIT:
                conn_wait_for_outlet(conn, outlet, &look->handoff);
                break;
        case OUTLET_ABSENT:
                conn_refuse_host(conn, REFUSE_UNAVAILABLE, outlet, look->handoff.host);
                break;
        }
}

static void conn_act(Conn *conn, Look *look)
{
        look->handoff.accepted_nsec = conn->accepted_nsec;
        switch (look->kind) {
        case LOOK_MORE:
                conn_wait_for_bytes(conn, look);
                break;
        case LOOK_ROUTE:
                conn_route(conn, look);
                break;
        case LOOK_REFUSE:
                conn->protocol = look->handoff.protocol;
                conn_refuse_host(conn, look->refuse, NULL, look->handoff.host);
                break;
        case LOOK_GONE:
                conn->router->counters.gone++;
                router_touch_status(conn->router);
                conn_free(conn);
                break;
        }
}

static int conn_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Conn *conn = userdata;
        Look look;

        if (conn->state == CONN_LINGERING) {
                if (!discard_input(fd, &conn->lingered_bytes))
                        conn_free(conn);
                return 0;
        }
        look_at(conn->router, fd, revents & EPOLLRDHUP, &look);
        /* A reset leaves bytes to read, but nobody who could be answered. */
        if (revents & (EPOLLHUP | EPOLLERR))
                look.kind = LOOK_GONE;
        conn_act(conn, &look);
        return 0;
}

/* The oldest has had the most time to say who it wants; an attacker's half-open hellos go first. */
static void make_room(Router *router)
{
        while (router->pending.n > router->pending_max)
                conn_refuse(TAILQ_FIRST(&router->pending.conns), REFUSE_OVERLOAD);
}

void conn_accept_consume(Router *router, int fd, uint64_t accepted_nsec)
{
        OutletResult result = OUTLET_WAIT;
        Outlet *outlet = NULL;
        Conn *conn;
        Look look;

        router->counters.accepted++;
        look_at(router, fd, false, &look);
        look.handoff.accepted_nsec = accepted_nsec;

        if (look.kind == LOOK_ROUTE)
                outlet = router_outlet(router, look.instance);
        if (outlet)
                result = outlet_send(outlet, &look.handoff, fd);
        if (result == OUTLET_SENT) {
                count_handed_off(router, &look.handoff);
                close_fd(fd);
                return;
        }
        conn = conn_new_consume(router, fd, accepted_nsec);
        if (!conn) {
                router->counters.refused[REFUSE_OVERLOAD]++;
                return;
        }
        conn->protocol = look.handoff.protocol;
        if (result == OUTLET_ABSENT)
                conn_refuse_host(conn, REFUSE_UNAVAILABLE, outlet, look.handoff.host);
        else
                conn_act(conn, &look);
        make_room(router);
}
