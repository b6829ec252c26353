/* SPDX-License-Identifier: MIT */
/*
 * Owns a connection from accept to hand-off or refusal: peek, route, hand. Before a hand-off it
 * never reads, writes or keeps a byte; it reads and writes only what it refuses.
 */
#include <netinet/in.h>
#include <sys/socket.h>

#include "refuse/parting.h"
#include "router/look.h"
#include "router/router.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/peer.h"

static DeadlineQueue *conn_queue(const Conn *conn)
{
        switch (conn->state) {
        case CONN_SNIFFING:
                return &conn->router->sniffing;
        case CONN_WAITING:
                return &conn->router->waiting;
        case CONN_LINGERING:
                return &conn->router->lingering;
        }
        return NULL;
}

static uint64_t conn_deadline(const Conn *conn, uint64_t begin_usec)
{
        const RouterSettings *settings = &conn->router->config->router;

        switch (conn->state) {
        case CONN_SNIFFING:
                if (conn->past.sniffing_deadline_usec > 0)
                        return conn->past.sniffing_deadline_usec;
                return begin_usec + settings->sniff_timeout_usec;
        case CONN_WAITING:
                if (conn->past.waiting_deadline_usec > 0)
                        return conn->past.waiting_deadline_usec;
                return begin_usec + settings->handoff_timeout_usec;
        case CONN_LINGERING:
                return begin_usec + PARTING_USEC;
        }
        return 0;
}

/* Every state has a queue and a time limit of its own, counted from when the state begins; but that
 * may have been in a former router. */
static int conn_enter(Conn *conn, ConnState state, uint64_t begin_usec)
{
        if (conn->is_queued)
                deadline_queue_remove(conn_queue(conn), conn);
        conn->state = state;
        conn->deadline_usec = conn_deadline(conn, begin_usec);
        conn->is_queued = true;
        return deadline_queue_add(conn_queue(conn), conn);
}

void conn_on_deadline(Conn *conn)
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

static Conn *conn_new_consume(Router *router, int fd, const ConnPast *past)
{
        Conn *conn = calloc(1, sizeof(*conn));

        if (!conn) {
                close_fd(fd);
                return NULL;
        }
        conn->router = router;
        conn->fd = fd;
        conn->past = *past;
        if (conn_enter(conn, CONN_SNIFFING, past->accepted_nsec / 1000) < 0)
                return conn_free(conn);
        return conn;
}

/* It no longer counts as pending. */
static void conn_leave_pending(Conn *conn)
{
        if (conn->outlet)
                outlet_dequeue(conn->outlet, conn);
        conn->source = source_release(&conn->router->sources, conn->source);
}

Conn *conn_free(Conn *conn)
{
        if (!conn)
                return NULL;
        /* Before close: an epoll entry belongs to the description, which may live on in an
         * instance. */
        conn->io = sd_event_source_disable_unref(conn->io);
        conn_leave_pending(conn);
        if (conn->is_queued)
                deadline_queue_remove(conn_queue(conn), conn);
        close_fd(conn->fd);
        free(conn->handoff);
        free(conn);
        return NULL;
}

/* The client's address, as far as it is known, else the proxy's. */
static void conn_client_name(const Conn *conn, char ret[static PEER_NAME_MAX])
{
        if (conn->client == LOOK_CLIENT_TOLD)
                address_format(&conn->told, ret);
        else
                peer_name(conn->fd, ret);
}

static void log_refusal(const Conn *conn, RefuseReason reason, const Outlet *outlet,
                        const char *host)
{
        Router *router = conn->router;
        char peer[PEER_NAME_MAX];
        unsigned left_out;

        if (!log_limit_pass(&router->refusal_log, router_now(router), &left_out))
                return;
        if (left_out > 0)
                log_info("%u more refusals were not written to the log", left_out);
        conn_client_name(conn, peer);
        log_full(LOG_INFO,
                 &(LogFields){ .instance = outlet ? outlet->name : NULL,
                               .host = host[0] ? host : NULL,
                               .peer = peer,
                               .reason = refuse_reason_name(reason) },
                 host[0] ? "refused %s: %s '%s'" : "refused %s: %s", peer,
                 refuse_reason_name(reason), host);
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
        if (!parting_discard(conn->fd, &conn->lingered_bytes) ||
            conn->router->lingering.n >= conn->router->pending_max) {
                conn_free(conn);
                return;
        }
        conn_leave_pending(conn);
        if (conn_enter(conn, CONN_LINGERING, router_now(conn->router)) < 0 ||
            (!conn->io && conn_watch(conn) < 0))
                conn_free(conn);
}

/* The last words to a client, whose own are thrown away. */
static void conn_answer(Conn *conn, const char *reply, size_t size)
{
        /* With a low-water mark what trickles in would not be seen. */
        if (conn->low_water_set)
                (void)setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &(int){ 1 }, sizeof(int));
        parting_say(conn->fd, reply, size);
        conn_linger(conn);
}

static void conn_redirect(Conn *conn, const Look *look)
{
        Outlet *outlet = router_outlet(conn->router, look->decision.instance);
        char reply[DECIDE_REDIRECT_MAX];

        conn->router->metrics.redirected++;
        if (outlet)
                outlet->metrics.redirected++;
        router_touch_status(conn->router);
        conn_answer(conn, reply,
                    decide_redirect(&look->decision, look->sniffed.method, look->sniffed.path,
                                    reply));
}

/* outlet: where it would have gone, if that is known. */
static void conn_refuse_host(Conn *conn, RefuseReason reason, Outlet *outlet, const char *host)
{
        char reply[REFUSE_REPLY_MAX];
        size_t size = 0;

        conn->router->metrics.refused[reason]++;
        if (outlet)
                outlet->metrics.refused[reason]++;
        router_touch_status(conn->router);
        log_refusal(conn, reason, outlet, host);
        if (parting_has_words(conn->fd, conn->protocol, reason))
                size = refuse_reply(reason, conn->protocol, reply);
        conn_answer(conn, reply, size);
}

void conn_refuse(Conn *conn, RefuseReason reason)
{
        conn_refuse_host(conn, reason, conn->outlet, conn->handoff ? conn->handoff->host : "");
}

static void count_handed_off(Router *router, Outlet *outlet, const struct bellhop_handoff *handoff)
{
        metrics_count_handoff(&router->metrics, &outlet->metrics, handoff,
                              clock_nsec(CLOCK_MONOTONIC));
        router_touch_status(router);
}

void conn_handed_off(Conn *conn)
{
        count_handed_off(conn->router, conn->outlet, conn->handoff);
        conn_free(conn);
}

static void complain_of_instance_limit(Outlet *outlet)
{
        LogFields fields;

        if (trouble_pass(outlet->router, TROUBLE_INSTANCE_LIMIT, outlet, &fields))
                log_full(LOG_WARNING, &fields,
                         "as many visitors wait for %s as may (PendingMaxPerInstance=); others get "
                         "503 until it receives: systemctl status bellhop@%s.service",
                         outlet->name, outlet->name);
}

static void complain_of_source(const Conn *conn)
{
        char peer[PEER_NAME_MAX];
        LogFields fields;

        if (!trouble_pass(conn->router, TROUBLE_SOURCE_LIMIT, NULL, &fields))
                return;
        conn_client_name(conn, peer);
        fields.peer = peer;
        log_full(LOG_NOTICE, &fields,
                 "the network of %s has as many connections pending as it may "
                 "(PendingMaxPerSource=); more from there get 429",
                 peer);
}

/* 0, or -EDQUOT when its source has enough pending already. */
static int conn_charge_source(Conn *conn)
{
        const RouterSettings *settings = &conn->router->config->router;
        const SourceLimit limit = {
                .ipv4_bits = (unsigned)settings->source_prefix_ipv4,
                .ipv6_bits = (unsigned)settings->source_prefix_ipv6,
                .n = settings->pending_max_per_source,
        };
        Address client = conn->told;
        int r;

        /* A proxy has many clients: until it says which, the connection counts for nobody, and so
         * does one whose peer has gone. */
        if (conn->source || conn->client == LOOK_CLIENT_UNKNOWN ||
            (conn->client == LOOK_CLIENT_PEER && !look_peer_address(conn->fd, &client)))
                return 0;
        r = source_charge(&conn->router->sources, &limit, &client, &conn->source);
        if (r < 0)
                complain_of_source(conn);
        return r;
}

static void conn_wait_for_outlet(Conn *conn, Outlet *outlet, const struct bellhop_handoff *handoff)
{
        const size_t most = conn->router->config->router.pending_max_per_instance;

        if (conn_charge_source(conn) < 0) {
                conn_refuse_host(conn, REFUSE_SOURCE_LIMIT, outlet, handoff->host);
                return;
        }
        if (outlet->n_waiting >= most) {
                complain_of_instance_limit(outlet);
                conn_refuse_host(conn, REFUSE_INSTANCE_LIMIT, outlet, handoff->host);
                return;
        }
        conn->handoff = malloc(sizeof(*handoff));
        if (conn->handoff)
                *conn->handoff = *handoff;
        if (!conn->handoff || conn_enter(conn, CONN_WAITING, router_now(conn->router)) < 0 ||
            outlet_enqueue(outlet, conn) < 0)
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
        if (conn_charge_source(conn) < 0) {
                conn_refuse_host(conn, REFUSE_SOURCE_LIMIT, NULL, "");
                return;
        }
        if (conn->low_water_set || look->need_bytes > look->n_bytes + 1)
                conn_set_low_water(conn, look->need_bytes);
        if (!conn->io && conn_watch(conn) < 0)
                conn_refuse(conn, REFUSE_OVERLOAD);
}

static void conn_hand_off(const Look *look, uint64_t accepted_nsec, struct bellhop_handoff *ret)
{
        const Decision *decision = &look->decision;

        ret->reason = decision->reason;
        ret->protocol = look->protocol;
        ret->accepted_nsec = accepted_nsec;
        memcpy(ret->host, decision->host.name, decision->host.length + 1);
}

static void conn_route(Conn *conn, const Look *look)
{
        Outlet *outlet = router_outlet(conn->router, look->decision.instance);
        struct bellhop_handoff handoff;

        if (!outlet) {
                conn_refuse(conn, REFUSE_OVERLOAD);
                return;
        }
        conn->io = sd_event_source_disable_unref(conn->io);
        if (conn->low_water_set)
                conn_set_low_water(conn, 1);

        conn_hand_off(look, conn->past.accepted_nsec, &handoff);
        switch (outlet_send(outlet, &handoff, conn->fd)) {
        case OUTLET_SENT:
                count_handed_off(conn->router, outlet, &handoff);
                conn_free(conn);
                break;
        case OUTLET_WAIT:
                conn_wait_for_outlet(conn, outlet, &handoff);
                break;
        case OUTLET_ABSENT:
                conn_refuse_host(conn, REFUSE_UNAVAILABLE, outlet, handoff.host);
                break;
        }
}

static void conn_learn(Conn *conn, const Look *look)
{
        conn->protocol = look->protocol;
        conn->client = look->client;
        conn->told = look->told;
}

static void conn_follow(Conn *conn, const Look *look)
{
        const Decision *decision = &look->decision;

        switch (decision->kind) {
        case DECISION_ROUTE:
                conn_route(conn, look);
                break;
        case DECISION_REDIRECT:
                conn_redirect(conn, look);
                break;
        case DECISION_REFUSE:
                conn_refuse_host(conn, decision->refuse,
                                 decision->instance == ROUTE_NONE
                                         ? NULL
                                         : router_outlet(conn->router, decision->instance),
                                 decision->host.name);
                break;
        }
}

static void conn_act(Conn *conn, const Look *look)
{
        conn_learn(conn, look);
        switch (look->kind) {
        case LOOK_MORE:
                conn_wait_for_bytes(conn, look);
                break;
        case LOOK_DECIDED:
                conn_follow(conn, look);
                break;
        case LOOK_GONE:
                conn->router->metrics.gone++;
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
                if (!parting_discard(fd, &conn->lingered_bytes))
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

void conn_shed_oldest(Router *router, size_t n)
{
        for (; n > 0 && router->sniffing.n > 0; n--)
                conn_refuse(TAILQ_FIRST(&router->sniffing.conns), REFUSE_OVERLOAD);
}

static size_t count_pending(const Router *router)
{
        return router->sniffing.n + router->waiting.n;
}

/* The oldest has had the most time to say who it wants; an attacker's half-open hellos go first. */
static void make_room(Router *router)
{
        const size_t most = router->pending_max;
        LogFields fields;

        if (count_pending(router) <= most)
                return;
        if (trouble_pass(router, TROUBLE_PENDING_LIMIT, NULL, &fields))
                log_full(LOG_WARNING, &fields,
                         "%zu connections are pending, which is the most (PendingMax=, bounded by "
                         "LimitNOFILE= of bellhop-router.service); the oldest make room",
                         most);
        while (count_pending(router) > most && router->sniffing.n > 0)
                conn_shed_oldest(router, 1);
        while (count_pending(router) > most)
                conn_refuse(TAILQ_FIRST(&router->waiting.conns), REFUSE_OVERLOAD);
}

void conn_resume_consume(Router *router, int fd, const ConnPast *past)
{
        OutletResult result = OUTLET_WAIT;
        struct bellhop_handoff handoff;
        Outlet *outlet = NULL;
        Conn *conn;
        Look look;

        router->metrics.accepted++;
        look_at(router, fd, false, &look);

        /* One that came before its listener was sealed. */
        if (look.kind != LOOK_GONE && seal_connection(fd) < 0 && router->seals) {
                look.kind = LOOK_DECIDED;
                look.decision = (Decision){ .kind = DECISION_REFUSE,
                                            .refuse = REFUSE_OVERLOAD,
                                            .instance = ROUTE_NONE };
        }
        if (look.kind == LOOK_DECIDED && look.decision.kind == DECISION_ROUTE)
                outlet = router_outlet(router, look.decision.instance);
        if (outlet) {
                conn_hand_off(&look, past->accepted_nsec, &handoff);
                result = outlet_send(outlet, &handoff, fd);
        }
        if (result == OUTLET_SENT) {
                count_handed_off(router, outlet, &handoff);
                close_fd(fd);
                return;
        }
        conn = conn_new_consume(router, fd, past);
        if (!conn) {
                router->metrics.refused[REFUSE_OVERLOAD]++;
                return;
        }
        conn_learn(conn, &look);
        if (result == OUTLET_ABSENT)
                conn_refuse_host(conn, REFUSE_UNAVAILABLE, outlet, look.decision.host.name);
        else
                conn_act(conn, &look);
        make_room(router);
}

void conn_accept_consume(Router *router, int fd, uint64_t accepted_nsec)
{
        conn_resume_consume(router, fd, &(ConnPast){ .accepted_nsec = accepted_nsec });
}

void conn_pack(Conn *conn, ConnPast *ret)
{
        /* A peek that finds too little sets it again. */
        if (conn->low_water_set)
                conn_set_low_water(conn, 1);
        *ret = conn->past;
        /* Who waits is sniffed once more, and should that take time, within what is left of his. */
        ret->sniffing_deadline_usec = conn->deadline_usec;
        if (conn->state == CONN_WAITING)
                ret->waiting_deadline_usec = conn->deadline_usec;
}
