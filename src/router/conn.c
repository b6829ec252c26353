/* SPDX-License-Identifier: MIT */
/*
 * This file owns a connection from accept to hand-off or refusal. To route a connection, the router
 * only peeks at its first bytes (MSG_PEEK), so the instance can still read them. The router reads
 * from and writes to a connection only if it answers the client itself, for example with a refusal.
 *
 * The router waits for more bytes with edge-triggered events: peeked bytes stay readable, so
 * level-triggered events would never stop. During this wait, the low-water mark of the socket
 * (SO_RCVLOWAT) is the number of needed bytes. One deadline limits the whole wait, and arriving
 * bytes do not extend the deadline.
 *
 * Before a hand-off, the router removes the event source. The instance gets the same open file, so
 * the file's epoll entry would remain after the router has closed its own descriptor. The low-water
 * mark is also reset, so that the instance gets the socket as accept(2) has returned it.
 */
#include <assert.h>
#include <sys/socket.h>

#include "router/router.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"

static DeadlineQueue *conn_queue(const Conn *conn)
{
        assert(conn->state != CONN_NEW);
        return conn->state == CONN_SNIFFING ? &conn->router->sniffing : &conn->router->waiting;
}

/* Frees a connection, and returns its descriptor, which the caller owns from now on. */
static int conn_release(Conn *conn)
{
        const int fd = conn->fd;

        conn->io = sd_event_source_disable_unref(conn->io);
        if (conn->waiter.outlet)
                outlet_dequeue(&conn->waiter);
        source_release(&conn->router->admission.sources, conn->source);
        if (conn->state != CONN_NEW) {
                deadline_queue_remove(conn_queue(conn), &conn->deadline);
                free(conn->waiter.handoff);
                free(conn->allocated);
        }
        return fd;
}

static void conn_close(Conn *conn)
{
        close_fd(conn_release(conn));
}

/* Sets the low-water mark, so that no event occurs before this number of bytes has arrived. */
static void conn_set_low_water(Conn *conn, size_t bytes)
{
        const int value = (int)bytes;

        if (setsockopt(conn->fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value)) == 0)
                conn->low_water_set = value != 1;
}

/* Restores the state that the socket had after accept(2), without an event source and without a
 * low-water mark. */
static void conn_restore(Conn *conn)
{
        conn->io = sd_event_source_disable_unref(conn->io);
        if (conn->low_water_set)
                conn_set_low_water(conn, 1);
}

/* Finds the client's address, or the proxy's address if the client's address is not known. */
static bool conn_client_address(const Conn *conn, Address *ret)
{
        if (conn->client != LOOK_CLIENT_TOLD)
                return address_peer(conn->fd, ret);
        *ret = conn->told;
        return true;
}

static void conn_log_refusal(const Conn *conn, RefuseReason reason, const Outlet *outlet,
                             const char *host)
{
        char peer[ADDRESS_TEXT_MAX] = "unknown";
        Address client;
        LogFields fields = { .instance = outlet ? outlet->name : NULL };

        if (!log_limits_pass(conn->router->log_limits, NULL, LOG_KIND_REFUSAL, &fields))
                return;
        if (conn_client_address(conn, &client))
                address_format(&client, peer);
        fields.host = host[0] ? host : NULL;
        fields.peer = peer;
        fields.reason = refuse_reason_name(reason);
        log_full(LOG_INFO, &fields, host[0] ? "refused %s: %s '%s'" : "refused %s: %s", peer,
                 fields.reason, host);
}

/* The parameter outlet is the outlet of the instance that the refusal concerns, or NULL. */
static void conn_refuse(Conn *conn, RefuseReason reason, Outlet *outlet, const char *host)
{
        Router *router = conn->router;
        const enum bellhop_protocol protocol = conn->protocol;
        const uint8_t alert = conn->alert;

        router->metrics.refused[reason]++;
        if (outlet)
                outlet->metrics.refused[reason]++;
        router_touch_status(router);
        conn_log_refusal(conn, reason, outlet, host);
        conn_restore(conn);
        linger_refuse_consume(&router->lingering, conn_release(conn), reason, protocol, alert);
}

/* Refuses a connection that is still being sniffed or is waiting for its outlet. */
static void conn_refuse_pending(Conn *conn, RefuseReason reason)
{
        conn_refuse(conn, reason, conn->waiter.outlet,
                    conn->waiter.handoff ? conn->waiter.handoff->host : "");
}

void conn_on_deadline(Deadline *deadline)
{
        Conn *conn = container_of(deadline, Conn, deadline);

        conn_refuse_pending(conn,
                            conn->state == CONN_SNIFFING ? REFUSE_TIMEOUT : REFUSE_UNAVAILABLE);
}

/* Returns the deadline for the connection's state. If the connection is older than this router
 * process, and the previous process has set a deadline for this state, that deadline remains in
 * force. */
static uint64_t conn_deadline(const Conn *conn)
{
        const RouterSettings *settings = &conn->router->config->router;
        const StoredConn *past = &conn->past;

        if (conn->state == CONN_SNIFFING)
                return past->sniffing_deadline_usec > 0
                               ? past->sniffing_deadline_usec
                               : past->accepted_nsec / 1000 + settings->sniff_timeout_usec;
        return past->waiting_deadline_usec > 0
                       ? past->waiting_deadline_usec
                       : event_now(conn->router->event) + settings->handoff_timeout_usec;
}

/* Makes the connection wait. Returns the connection, which is on the heap from now on. If there is
 * not enough memory, refuses the connection and returns NULL. */
static Conn *conn_enter(Conn *conn, ConnState state)
{
        Conn *kept = conn;

        if (conn->state != CONN_NEW)
                deadline_queue_remove(conn_queue(conn), &conn->deadline);
        else
                kept = malloc(sizeof(*kept));
        if (!kept) {
                conn_refuse(conn, REFUSE_OVERLOAD, NULL, "");
                return NULL;
        }
        if (kept != conn)
                *kept = *conn;
        kept->allocated = kept;
        kept->state = state;
        if (deadline_queue_add(conn_queue(kept), &kept->deadline, conn_deadline(kept)) < 0) {
                conn_refuse_pending(kept, REFUSE_OVERLOAD);
                return NULL;
        }
        return kept;
}

/* Counts the connection for its source (see source.h). Returns false if the source has reached its
 * limit, or if there is not enough memory. */
static bool conn_charge_source(Conn *conn)
{
        Address client;

        /* A proxy has many clients, so a connection from a proxy counts for no source until the
         * proxy names the client. If the peer has left, its address is unknown, so its connection
         * also counts for no source. */
        if (conn->source || conn->client == LOOK_CLIENT_UNKNOWN ||
            !conn_client_address(conn, &client))
                return true;
        return admission_charge(&conn->router->admission, &client, &conn->source);
}

static int conn_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata);

/* These two numbers limit how often the router looks at one connection. Each look parses all bytes
 * again, and a client may send its bytes one by one. Ordinary clients need one or two looks. If a
 * person types a request by hand, the limit delays the answer by at most a second. */
#define LOOKS_BURST         8
#define LOOKS_INTERVAL_USEC UINT64_C(1000000)

static void conn_wait_for_bytes(Conn *conn, const Look *look)
{
        if (!conn_charge_source(conn)) {
                conn_refuse(conn, REFUSE_SOURCE_LIMIT, NULL, "");
                return;
        }
        if (conn->state == CONN_NEW) {
                conn = conn_enter(conn, CONN_SNIFFING);
                if (!conn)
                        return;
        }
        if (conn->low_water_set || look->need_bytes > look->n_bytes + 1)
                conn_set_low_water(conn, look->need_bytes);
        if (conn->io)
                return;
        if (sd_event_add_io(conn->router->event, &conn->io, conn->fd,
                            EPOLLIN | EPOLLRDHUP | EPOLLET, conn_on_io, conn) < 0 ||
            sd_event_source_set_ratelimit(conn->io, LOOKS_INTERVAL_USEC, LOOKS_BURST) < 0)
                conn_refuse_pending(conn, REFUSE_OVERLOAD);
}

static void conn_wait_for_outlet(Conn *conn, Outlet *outlet, const struct bellhop_handoff *handoff)
{
        Router *router = conn->router;

        if (!conn_charge_source(conn)) {
                conn_refuse(conn, REFUSE_SOURCE_LIMIT, outlet, handoff->host);
                return;
        }
        if (!admission_of_instance(&router->admission, outlet)) {
                conn_refuse(conn, REFUSE_INSTANCE_LIMIT, outlet, handoff->host);
                return;
        }
        conn = conn_enter(conn, CONN_WAITING);
        if (!conn)
                return;
        conn->waiter = (Waiter){ .fd = conn->fd, .handoff = malloc(sizeof(*handoff)) };
        if (conn->waiter.handoff)
                *conn->waiter.handoff = *handoff;
        if (!conn->waiter.handoff || outlet_enqueue(outlet, &conn->waiter) < 0)
                conn_refuse(conn, REFUSE_OVERLOAD, outlet, handoff->host);
}

/* Returns the outlet of an instance, and makes it if it does not exist yet. Returns NULL if
 * instance is ROUTE_NONE, or if there is not enough memory. */
static Outlet *conn_outlet(Router *router, uint32_t instance)
{
        if (instance == ROUTE_NONE)
                return NULL;
        if (!router->outlets[instance])
                router->outlets[instance] = outlet_new(&router->outlet_shared,
                                                       router->config->instances[instance].name);
        return router->outlets[instance];
}

static void conn_count_handed_off(Conn *conn, Outlet *outlet, const struct bellhop_handoff *handoff)
{
        Router *router = conn->router;

        router_touch_status(router);
        /* An ACME challenge is not counted for the instance, because it comes from a certificate
         * authority, and not from a client of the customer. */
        if (outlet == router->responder) {
                router->metrics.challenges[CHALLENGE_TLS - 1]++;
                return;
        }
        /* The last argument is the least number of bytes that have arrived: one, or zero if the
         * local address alone decided the route. */
        tally_note(&router->tally, conn->fd, outlet->name,
                   handoff->reason != BELLHOP_REASON_ADDRESS);
        metrics_count_handoff(&router->metrics, &outlet->metrics, handoff,
                              clock_nsec(CLOCK_MONOTONIC));
}

static void conn_route(Conn *conn, const Look *look, Outlet *outlet)
{
        const Decision *decision = &look->decision;
        struct bellhop_handoff handoff;

        handoff.reason = decision->reason;
        handoff.protocol = look->protocol;
        handoff.accepted_nsec = conn->past.accepted_nsec;
        memcpy(handoff.host, decision->host.name, decision->host.length + 1);
        conn_restore(conn);
        switch (outlet_send(outlet, &handoff, conn->fd)) {
        case OUTLET_SENT:
                conn_count_handed_off(conn, outlet, &handoff);
                conn_close(conn);
                return;
        case OUTLET_WAIT:
                conn_wait_for_outlet(conn, outlet, &handoff);
                return;
        case OUTLET_ABSENT:
                conn_refuse(conn, REFUSE_UNAVAILABLE, outlet, handoff.host);
                return;
        }
}

static void conn_redirect(Conn *conn, const Look *look, Outlet *outlet)
{
        Router *router = conn->router;
        char reply[DECIDE_REDIRECT_MAX];
        const size_t size =
                decide_redirect(&look->decision, look->sniffed.method, look->sniffed.path, reply);

        router->metrics.redirected++;
        if (outlet)
                outlet->metrics.redirected++;
        router_touch_status(router);
        conn_restore(conn);
        linger_reply_consume(&router->lingering, conn_release(conn), reply, size);
}

static void conn_answer(Conn *conn, const Look *look, Span answer)
{
        Router *router = conn->router;
        char reply[CHALLENGE_REPLY_MAX];
        const size_t size = challenge_reply(look->sniffed.method, answer, reply);

        router->metrics.challenges[CHALLENGE_HTTP - 1]++;
        router_touch_status(router);
        conn_restore(conn);
        linger_reply_consume(&router->lingering, conn_release(conn), reply, size);
}

/* Answers an ACME challenge over HTTP. If the challenge is over TLS, passes the connection to the
 * responder (bellhop-acme-tls). Returns false if no such challenge is pending; the caller then
 * treats the connection like any other. */
static bool conn_meet_challenge(Conn *conn, const Look *look)
{
        const Decision *decision = &look->decision;
        Router *router = conn->router;
        uint8_t digest[CHALLENGE_DIGEST_SIZE];
        char answer[CHALLENGE_ANSWER_MAX];
        size_t size;

        switch (decision->challenge) {
        case CHALLENGE_NONE:
                return false;
        case CHALLENGE_HTTP:
                size = challenge_read_answer(router->challenges_dir, decision->host.name,
                                             decision->token, answer);
                if (size > 0)
                        conn_answer(conn, look, (Span){ (const uint8_t *)answer, size });
                return size > 0;
        case CHALLENGE_TLS:
                if (!challenge_read_digest(router->challenges_dir, decision->host.name, digest))
                        return false;
                conn_route(conn, look, router->responder);
                return true;
        }
        return false;
}

/* Does the same as conn_meet_challenge() for a connection whose local address has decided the
 * route. The router looks at the bytes of such a connection only to find a challenge. */
static bool conn_meet_challenge_by_address(Conn *conn, const Look *look)
{
        const Decision *decision = &look->decision;
        Router *router = conn->router;
        const Instance *instance;
        Look closer;

        if (decision->kind != DECISION_ROUTE || decision->reason != BELLHOP_REASON_ADDRESS)
                return false;
        instance = &router->config->instances[decision->instance];
        return instance->tls == TLS_ACME && !instance->is_suspended &&
               challenge_is_any_pending(router->challenges_dir) &&
               look_for_challenge(router->config, router->peek, conn->fd, look, &closer) &&
               conn_meet_challenge(conn, &closer);
}

static void conn_follow(Conn *conn, const Look *look)
{
        const Decision *decision = &look->decision;
        Outlet *outlet;

        if (conn_meet_challenge(conn, look) || conn_meet_challenge_by_address(conn, look))
                return;
        outlet = conn_outlet(conn->router, decision->instance);
        if (decision->kind == DECISION_REFUSE)
                conn_refuse(conn, decision->refuse, outlet, decision->host.name);
        else if (decision->kind == DECISION_REDIRECT)
                conn_redirect(conn, look, outlet);
        else if (outlet)
                conn_route(conn, look, outlet);
        else
                conn_refuse(conn, REFUSE_OVERLOAD, NULL, decision->host.name);
}

static void conn_act(Conn *conn, const Look *look)
{
        conn->protocol = look->protocol;
        conn->alert = look->sniffed.alert;
        conn->client = look->client;
        conn->told = look->told;
        if (look->kind == LOOK_MORE) {
                conn_wait_for_bytes(conn, look);
        } else if (look->kind == LOOK_DECIDED) {
                conn_follow(conn, look);
        } else {
                conn->router->metrics.gone++;
                router_touch_status(conn->router);
                conn_close(conn);
        }
}

static int conn_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Conn *conn = userdata;
        Look look;

        assert(conn->state == CONN_SNIFFING);
        look_at(conn->router->config, conn->router->peek, fd, revents & EPOLLRDHUP, &look);
        /* After a reset, there may still be bytes to read, but the client can't be answered. */
        if (revents & (EPOLLHUP | EPOLLERR))
                look.kind = LOOK_GONE;
        conn_act(conn, &look);
        return 0;
}

void conn_on_result(Waiter *waiter, OutletResult result)
{
        Conn *conn = container_of(waiter, Conn, waiter);

        assert(conn->state == CONN_WAITING && result != OUTLET_WAIT);
        if (result == OUTLET_ABSENT) {
                conn_refuse_pending(conn, REFUSE_UNAVAILABLE);
                return;
        }
        conn_count_handed_off(conn, waiter->outlet, waiter->handoff);
        conn_close(conn);
}

void conn_refuse_waiting(Outlet *outlet)
{
        Waiter *waiter;

        while ((waiter = TAILQ_FIRST(&outlet->waiting)))
                conn_refuse_pending(container_of(waiter, Conn, waiter), REFUSE_UNAVAILABLE);
}

static Conn *conn_first(const DeadlineQueue *queue)
{
        return container_of(deadline_queue_first(queue), Conn, deadline);
}

void conn_shed_oldest(Router *router, size_t n)
{
        for (; n > 0 && router->sniffing.n > 0; n--)
                conn_refuse_pending(conn_first(&router->sniffing), REFUSE_OVERLOAD);
}

/* If too many connections are pending, refuses the oldest, beginning with those that wait for
 * bytes. The oldest of these have had the most time to send a complete request, so they are
 * probably an attacker's. */
static void conn_make_room(Router *router)
{
        if (admission_has_room(&router->admission, router_n_pending(router)))
                return;
        while (router_n_pending(router) > router->admission.pending_max)
                conn_refuse_pending(conn_first(router->sniffing.n > 0 ? &router->sniffing
                                                                      : &router->waiting),
                                    REFUSE_OVERLOAD);
}

void conn_accept_consume(void *userdata, int fd, const StoredConn *past, bool is_unsure)
{
        Router *router = userdata;
        Conn conn = { .router = router, .fd = fd, .past = *past };
        Look look;

        router->metrics.accepted++;
        look_at(router->config, router->peek, fd, false, &look);
        if (is_unsure && look.kind != LOOK_GONE && seal_connection(fd) < 0 && router->seals)
                look_refuse(&look, REFUSE_OVERLOAD);
        conn_act(&conn, &look);
        conn_make_room(router);
}

void conn_resume_consume(void *userdata, int fd, const StoredConn *past)
{
        conn_accept_consume(userdata, fd, past, true);
}

/* Writes the descriptors of the connections in a queue into fds, and their data into stored.
 * Returns the number of connections. */
static size_t conn_store_queue(const DeadlineQueue *queue, int *fds, StoredConn *stored)
{
        Deadline *deadline;

        TAILQ_FOREACH (deadline, &queue->list, link) {
                Conn *conn = container_of(deadline, Conn, deadline);

                /* Resets the low-water mark. If bytes are still missing, the next router process
                 * sets it again. */
                if (conn->low_water_set)
                        conn_set_low_water(conn, 1);
                /* The next router process sniffs this connection again, even if the connection
                 * already waits for its outlet. The present deadline remains in force. */
                *stored = conn->past;
                stored->sniffing_deadline_usec = deadline->usec;
                if (conn->state == CONN_WAITING)
                        stored->waiting_deadline_usec = deadline->usec;
                *fds++ = conn->fd;
                stored++;
        }
        return queue->n;
}

void conn_store_all(Router *router)
{
        const size_t n = router_n_pending(router);
        _cleanup_free_ StoredConn *stored = calloc(n + 1, sizeof(*stored));
        _cleanup_free_ int *fds = calloc(n + 1, sizeof(*fds));
        int r = -ENOMEM;

        if (n == 0 || router->notify.fd < 0)
                return;
        if (stored && fds) {
                /* Connections that wait for their outlet come first, because they usually arrived
                 * before those that still wait for bytes. */
                const size_t n_waiting = conn_store_queue(&router->waiting, fds, stored);

                (void)conn_store_queue(&router->sniffing, fds + n_waiting, stored + n_waiting);
                r = store_give(&router->notify, fds, stored, n);
        }
        if (r < 0)
                log_warning_errno(r, "can't store all %zu pending connections: %m", n);
        else
                log_info("stored %d pending connections for the next start", r);
}

void conn_close_all(Router *router)
{
        while (router->sniffing.n > 0)
                conn_close(conn_first(&router->sniffing));
        while (router->waiting.n > 0)
                conn_close(conn_first(&router->waiting));
}
