/* SPDX-License-Identifier: MIT */
/*
 * The handler of an event only records the event. After each event, supervisor_advance() checks
 * everything that may be due, and sets one timer for the next check. So events can come in any
 * order.
 *
 * A reload starts a new server beside the old one, and both receive hand-offs. When the new server
 * is ready, the old server only finishes its connections. If the new server does not become ready,
 * the old one keeps running, so the instance survives a failed reload.
 *
 * A stop bars the server's gate (page.h), so that the server receives no more hand-offs, and ends
 * the server. systemd starts a unit again only after all its processes have ended. So while the old
 * server finishes a slow download, another server of the same supervisor serves new connections.
 * Hand-offs that no server receives wait in the queue of the hand-off socket for the next start of
 * the unit.
 */
#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/param.h>
#include <sys/wait.h>

#include "handoff/hangup.h"
#include "instance/confine.h"
#include "instance/php.h"
#include "instance/report.h"
#include "instance/server.h"
#include "instance/state.h"
#include "instance/supervisor.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/notify.h"

#define USEC_PER_SEC UINT64_C(1000000)
#define FOREVER      UINT64_MAX /* a timer of sd-event never elapses at this time */

/* A busy instance reports its state at most once in this time, because each report costs systemd
 * some work. Between two reports, only the first change of a page rings the bell (page.h). So if
 * this time were longer than a usual IdleSec=, the supervisor would notice the end of the last
 * connection too late. */
#define REPORT_USEC USEC_PER_SEC

/* If an instance is idle, but its queue has hand-offs, the supervisor checks again after this time
 * whether the server has received them. */
#define WAITING_USEC UINT64_C(100000)

/* The time that the new server of a reload has to become ready. TimeoutStartSec=, which also limits
 * ExecReload=, is longer. */
#define RELOAD_USEC (12 * USEC_PER_SEC)

/* Times since the request to stop. At STOP_CUT_USEC, connections from before the stop are cut. From
 * STOP_SERVE_USEC on, new connections wait for the next start of the unit. At STOP_END_USEC, all
 * connections are cut. TimeoutStopSec= of the unit is longer. */
#define STOP_CUT_USEC   (30 * USEC_PER_SEC)
#define STOP_SERVE_USEC (37 * USEC_PER_SEC)
#define STOP_END_USEC   (40 * USEC_PER_SEC)

/* If no server has received hand-offs for this time during a stop, the supervisor starts another
 * server for new connections. */
#define HANDOVER_USEC USEC_PER_SEC

/* At most this number of old servers finish long connections after reloads. If there are more, the
 * oldest server is ended. */
#define LEAVING_MAX 4

typedef struct Supervisor {
        Context *context;
        sd_event *event;
        Notify notify;
        sd_event_source *timer, *handoff;

        Server *current; /* receives hand-offs, or will when it is ready; NULL: no server does */
        Server *next;    /* the new server of a reload, until it is ready */
        LIST_HEAD(, Server) servers; /* current, next and the ending servers; the newest first */
        Php php;

        PageSum gone;       /* counts of ended servers */
        uint64_t idle_usec; /* IdleSec=; 0: the instance never ends by itself */
        uint64_t began_usec;
        bool is_reload_wanted;
        uint64_t stop_usec;   /* when the stop was requested; 0: not yet */
        bool has_ended;       /* the event loop is about to end */
        bool is_queue_left;   /* no further server is started for hand-offs in the queue */
        uint64_t nobody_usec; /* since this time, no server receives hand-offs */
        State state;          /* as last published */
        bool is_state_old;    /* a server has ended since the last report */
        uint64_t report_usec; /* earliest time of the next report of the state */
        Report report;        /* to bellhop-usage */
} Supervisor;

static uint64_t supervisor_earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static bool supervisor_is_stopping(const Supervisor *supervisor)
{
        return supervisor->stop_usec > 0;
}

/* --- counts and reports --- */

static PageSum supervisor_sum(const Supervisor *supervisor)
{
        PageSum sum = supervisor->gone;
        Server *server;

        LIST_FOREACH (server, &supervisor->servers, link)
                page_add(server->page, &sum);
        return sum;
}

/* Writes the state file, and sends the state to systemd. happened: an event that systemd must learn
 * about. */
static void supervisor_publish(Supervisor *supervisor, NotifyEvent happened)
{
        const State *state = &supervisor->state;
        const time_t then = (time_t)(state->last_handoff_usec / USEC_PER_SEC);
        char last[sizeof("Thu, 01 Jan 1970 00:00:00 GMT")] = "never";
        struct tm tm;
        const int r = state_write(supervisor->context->runtime_dir, state);

        if (r < 0)
                log_warning_errno(r,
                                  "can't write %s/" STATE_FILE ": %m; bellhopctl shows old figures",
                                  supervisor->context->runtime_dir);
        if (then > 0)
                (void)strftime(last, sizeof(last), "%a, %d %b %Y %H:%M:%S GMT",
                               gmtime_r(&then, &tm));
        notify_send(&supervisor->notify, happened,
                    "%" PRIu64 " connections, %" PRIu64 " hand-offs, last hand-off: %s",
                    state->n_open, state->n_handoffs, last);
}

static void supervisor_report_now(Supervisor *supervisor, NotifyEvent happened, uint64_t now)
{
        State *state = &supervisor->state;
        Server *server;
        PageSum sum;

        LIST_FOREACH (server, &supervisor->servers, link)
                page_listen(server->page);
        sum = supervisor_sum(supervisor);
        state->n_open = sum.n_open;
        state->n_handoffs = sum.n_handoffs;
        if (sum.last_usec > 0)
                state->last_handoff_usec = clock_nsec(CLOCK_REALTIME) / 1000 -
                                           (now - supervisor_earlier(now, sum.last_usec));
        if (supervisor->current) {
                state->read_usec = supervisor->current->read_usec;
                state->others = page_others(supervisor->current->page);
        }
        supervisor->is_state_old = false;
        supervisor->report_usec = now + REPORT_USEC;
        if (supervisor->idle_usec > 0 && supervisor->idle_usec < REPORT_USEC)
                supervisor->report_usec = now + supervisor->idle_usec;
        supervisor_publish(supervisor, happened);
}

/* Returns when to check again. */
static uint64_t supervisor_report(Supervisor *supervisor, uint64_t now)
{
        bool is_old = supervisor->is_state_old;
        Server *server;

        LIST_FOREACH (server, &supervisor->servers, link)
                is_old |= page_has_changed(server->page);
        if (is_old && now < supervisor->report_usec)
                return supervisor->report_usec;
        if (is_old)
                supervisor_report_now(supervisor, NOTIFY_NOTHING, now);
        return FOREVER;
}

static void supervisor_set_kind(Supervisor *supervisor, StateKind kind, NotifyEvent happened)
{
        supervisor->state.kind = kind;
        supervisor_report_now(supervisor, happened, clock_monotonic_usec());
}

/* --- starts and ends of servers --- */

/* Reads the instance file. confine() also adds restrictions to the fence, if the file now requires
 * them. */
static int supervisor_read_settings(Supervisor *supervisor)
{
        Instance settings;
        const int r = confine(supervisor->context, &settings);

        if (r == 0)
                supervisor->idle_usec = settings.idle_usec;
        return r;
}

static int supervisor_start_server(Supervisor *supervisor, Server **ret)
{
        int r = supervisor_read_settings(supervisor);

        if (r == 0)
                r = server_start(supervisor->event, supervisor->context, ret);
        if (r == 0)
                LIST_INSERT_HEAD(&supervisor->servers, *ret, link);
        return r;
}

static bool supervisor_has_leaving(const Supervisor *supervisor)
{
        const Server *server;

        LIST_FOREACH (server, &supervisor->servers, link)
                if (server->phase != SERVER_RECEIVES)
                        return true;
        return false;
}

/* Begins to end the server *leaving, and sets *leaving to NULL. Does nothing if *leaving is NULL.
 */
static void supervisor_leave(Supervisor *supervisor, Server **leaving, uint64_t deadline)
{
        const uint64_t now = clock_monotonic_usec();
        Server *server, *oldest = NULL;
        size_t n = 0;

        if (!*leaving)
                return;
        server_leave(take_ptr(*leaving), now, deadline);
        LIST_FOREACH (server, &supervisor->servers, link)
                if (server->phase == SERVER_DRAINS || server->phase == SERVER_FINISHES) {
                        oldest = server;
                        n++;
                }
        if (n <= LEAVING_MAX)
                return;
        log_warning("more than %d old servers are finishing connections after reloads; the oldest "
                    "is stopped with its connections",
                    LEAVING_MAX);
        server_cut(oldest, now);
}

static void supervisor_end(Supervisor *supervisor, int status)
{
        supervisor->has_ended = true;
        (void)sd_event_exit(supervisor->event, status);
}

static void supervisor_end_reload(Supervisor *supervisor, StateReload how)
{
        supervisor->state.reload = how;
        supervisor_set_kind(supervisor, STATE_READY, NOTIFY_READY);
}

/* Call it when the new server of a reload has failed. status: the wait status of the new server. If
 * the instance has no other server, the supervisor ends with this status. */
static void supervisor_fail_reload(Supervisor *supervisor, int status)
{
        const char *instance = supervisor->context->instance;

        if (supervisor->current) {
                log_error("the reload of %s failed: its new server does not start; the old one "
                          "keeps running with its old settings",
                          instance);
                supervisor_end_reload(supervisor, STATE_RELOAD_FAILED);
        } else {
                log_error("the reload of %s failed too: its new server did not start", instance);
                supervisor_end(supervisor, status);
        }
}

static void supervisor_begin_reload(Supervisor *supervisor)
{
        assert(!supervisor->next && !supervisor_is_stopping(supervisor));
        supervisor->is_reload_wanted = false;
        supervisor->state.reload_usec = clock_monotonic_usec();
        supervisor->state.reload = STATE_RELOAD_RUNNING;
        supervisor_set_kind(supervisor, STATE_RELOADING, NOTIFY_RELOADING);
        if (supervisor_start_server(supervisor, &supervisor->next) < 0)
                supervisor_fail_reload(supervisor, W_EXITCODE(EXIT_FAILURE, 0));
}

/* Returns when to check again. */
static uint64_t supervisor_reload(Supervisor *supervisor, uint64_t now)
{
        if (supervisor->next && supervisor->next->is_ready) {
                supervisor_leave(supervisor, &supervisor->current, FOREVER);
                supervisor->current = take_ptr(supervisor->next);
                php_load(&supervisor->php);
                confine_warn_key(supervisor->context);
                supervisor_end_reload(supervisor, STATE_RELOAD_DONE);
        } else if (supervisor->next && now >= supervisor->next->began_usec + RELOAD_USEC) {
                supervisor_leave(supervisor, &supervisor->next, now + RELOAD_USEC);
                supervisor_fail_reload(supervisor, W_EXITCODE(EXIT_FAILURE, 0));
        }
        if (supervisor->is_reload_wanted && !supervisor->next && supervisor->current &&
            supervisor->current->is_ready)
                supervisor_begin_reload(supervisor);
        return supervisor->next ? supervisor->next->began_usec + RELOAD_USEC : FOREVER;
}

static void supervisor_lose_current(Supervisor *supervisor, uint64_t now)
{
        const Server *server = take_ptr(supervisor->current);
        const int status = server->process.status;

        supervisor->nobody_usec = now;
        if (supervisor_is_stopping(supervisor)) {
                supervisor->is_queue_left = true;
                return;
        }
        log_error("the server of %s ended %s (%s %d)%s", supervisor->context->instance,
                  server->is_ready ? "by itself" : "before it was ready",
                  WIFSIGNALED(status) ? "signal" : "exit status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                  supervisor->next ? "; the server that a reload started replaces it" : "");
        /* Apache ends with status 0 if it can't start its threads. If the supervisor also ended
         * with 0, systemd would start the instance again and again for the same waiting clients. */
        if (!supervisor->next)
                supervisor_end(supervisor, status == 0 ? W_EXITCODE(EXIT_FAILURE, 0) : status);
}

static void supervisor_lose(Supervisor *supervisor, Server *server, uint64_t now)
{
        const uint64_t n_open = supervisor->gone.n_open;

        /* Bars the gate: otherwise, remaining processes of the server could still receive hand-offs
         * until systemd ends them. */
        page_bar(server->page, true);
        page_add(server->page, &supervisor->gone);
        if (supervisor->gone.n_open > n_open)
                supervisor->gone.ended_usec = now;
        supervisor->gone.n_open = supervisor->gone.n_in_hand = 0;
        supervisor->is_state_old = true;
        LIST_REMOVE(server, link);
        if (server == supervisor->current) {
                supervisor_lose_current(supervisor, now);
        } else if (server == supervisor->next) {
                supervisor->next = NULL;
                supervisor_fail_reload(supervisor, server->process.status);
        }
        server_free(server);
}

static void supervisor_collect(Supervisor *supervisor, uint64_t now)
{
        Server *next;

        for (Server *server = LIST_FIRST(&supervisor->servers); server; server = next) {
                next = LIST_NEXT(server, link);
                if (server->process.has_ended)
                        supervisor_lose(supervisor, server, now);
        }
        php_step(&supervisor->php);
}

/* --- the end --- */

static void supervisor_stop(Supervisor *supervisor, const char *why)
{
        Server *server;

        if (supervisor_is_stopping(supervisor))
                return;
        supervisor->stop_usec = supervisor->nobody_usec = clock_monotonic_usec();
        supervisor_leave(supervisor, &supervisor->next, FOREVER);
        supervisor_leave(supervisor, &supervisor->current, FOREVER);
        supervisor_set_kind(supervisor, STATE_STOPPING, NOTIFY_STOPPING);
        notify_send(&supervisor->notify, NOTIFY_NOTHING, "%s", why);
        LIST_FOREACH (server, &supervisor->servers, link)
                server_hurry(server, supervisor->stop_usec + STOP_CUT_USEC);
}

static bool supervisor_has_queue(const Supervisor *supervisor)
{
        struct pollfd queue = { .fd = supervisor->context->handoff_fd, .events = POLLIN };

        return poll(&queue, 1, 0) > 0;
}

static void supervisor_watch_queue(Supervisor *supervisor, bool watch)
{
        (void)sd_event_source_set_io_events(supervisor->handoff,
                                            watch ? EPOLLIN | EPOLLRDHUP : EPOLLRDHUP);
}

/* Starts another server for new connections, while the instance stops and an old server still
 * finishes its connections. Returns when to check again. */
static uint64_t supervisor_hand_over(Supervisor *supervisor, uint64_t now)
{
        const uint64_t due = supervisor->nobody_usec + HANDOVER_USEC;
        const bool wanted = !supervisor->current && !supervisor->is_queue_left &&
                            now < supervisor->stop_usec + STOP_SERVE_USEC;

        supervisor_watch_queue(supervisor, wanted && now >= due);
        if (!wanted)
                return FOREVER;
        if (now < due)
                return due;
        if (!supervisor_has_queue(supervisor))
                return supervisor->stop_usec + STOP_SERVE_USEC;
        supervisor->is_queue_left = supervisor_start_server(supervisor, &supervisor->current) < 0;
        supervisor_watch_queue(supervisor, false);
        return FOREVER;
}

/* Returns when to check again. */
static uint64_t supervisor_finish(Supervisor *supervisor, uint64_t now)
{
        const uint64_t serve = supervisor->stop_usec + STOP_SERVE_USEC;
        const uint64_t end = supervisor->stop_usec + STOP_END_USEC;

        if (LIST_EMPTY(&supervisor->servers))
                php_leave(&supervisor->php);
        if (now >= end || (LIST_EMPTY(&supervisor->servers) && !php_is_leaving(&supervisor->php))) {
                supervisor_end(supervisor, 0);
                return FOREVER;
        }
        if (supervisor->current && (now >= serve || (!supervisor_has_leaving(supervisor) &&
                                                     !php_is_leaving(&supervisor->php)))) {
                supervisor_leave(supervisor, &supervisor->current, end);
                supervisor->nobody_usec = now;
        }
        return supervisor_earlier(supervisor_hand_over(supervisor, now), now < serve ? serve : end);
}

/* Stops the instance if it is idle. A connection that arrives while the instance ends is not lost:
 * it remains in the queue of the hand-off socket, and systemd starts the instance again. Returns
 * when to check again. */
static uint64_t supervisor_end_if_idle(Supervisor *supervisor, uint64_t now)
{
        Server *server = supervisor->current;
        const PageSum sum = supervisor_sum(supervisor);
        const uint64_t since = MAX(supervisor->began_usec, MAX(sum.last_usec, sum.ended_usec));
        PageSum barred;

        if (supervisor_is_stopping(supervisor) || !server || !server->is_ready ||
            supervisor->next || sum.n_open > 0 || supervisor_has_leaving(supervisor) ||
            supervisor->idle_usec == 0 || supervisor->idle_usec >= FOREVER - since)
                return FOREVER;
        if (now < since + supervisor->idle_usec)
                return since + supervisor->idle_usec;
        if (supervisor_has_queue(supervisor))
                return now + WAITING_USEC;
        page_bar(server->page, true);
        barred = supervisor_sum(supervisor);
        if (barred.n_in_hand > 0 || barred.n_handoffs != sum.n_handoffs ||
            supervisor_has_queue(supervisor)) {
                page_bar(server->page, false);
                return now + WAITING_USEC;
        }
        supervisor_stop(supervisor,
                        "Ending because the instance is idle; the next connection starts it again");
        return FOREVER;
}

/* --- the loop --- */

static uint64_t supervisor_step(Supervisor *supervisor, uint64_t now)
{
        uint64_t next;
        Server *server;

        supervisor_collect(supervisor, now);
        if (supervisor->has_ended)
                return FOREVER;
        if (supervisor->state.kind == STATE_STARTING && supervisor->current &&
            supervisor->current->is_ready)
                supervisor_set_kind(supervisor, STATE_READY, NOTIFY_READY);
        /* The report comes first, because after it, the next change of a page rings the bell
         * (page.h). So if a page changes after the decisions below, this function runs and decides
         * again. */
        next = supervisor_report(supervisor, now);
        if (!supervisor_is_stopping(supervisor))
                next = supervisor_earlier(next, supervisor_reload(supervisor, now));
        next = supervisor_earlier(next, supervisor_end_if_idle(supervisor, now));
        if (supervisor_is_stopping(supervisor))
                next = supervisor_earlier(next, supervisor_finish(supervisor, now));
        LIST_FOREACH (server, &supervisor->servers, link) {
                if (server->phase != SERVER_RECEIVES)
                        next = supervisor_earlier(next, server_step(server, now));
                next = supervisor_earlier(next, server_watch(server, supervisor->event, now));
        }
        return supervisor_earlier(next, report_tell(&supervisor->report,
                                                    supervisor_sum(supervisor).n_requests, now));
}

static int supervisor_advance(sd_event_source *source, void *userdata)
{
        Supervisor *supervisor = userdata;
        const uint64_t next = supervisor_step(supervisor, clock_monotonic_usec());

        (void)sd_event_source_set_time(supervisor->timer, next);
        (void)sd_event_source_set_enabled(supervisor->timer, SD_EVENT_ONESHOT);
        return 0;
}

static int supervisor_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        return 0;
}

static int supervisor_on_bell(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        eventfd_t unused;

        (void)eventfd_read(fd, &unused);
        return 0;
}

static int supervisor_on_handoff(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Supervisor *supervisor = userdata;

        if (hangup_complete(fd)) {
                supervisor->is_queue_left = true;
                (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
                supervisor_stop(supervisor,
                                "A program of the instance shut down the hand-off socket");
        }
        return 0;
}

static int supervisor_on_stop(sd_event_source *source, const struct signalfd_siginfo *info,
                              void *userdata)
{
        supervisor_stop(userdata, "Finishing connections in progress");
        return 0;
}

static int supervisor_on_reload(sd_event_source *source, const struct signalfd_siginfo *info,
                                void *userdata)
{
        Supervisor *supervisor = userdata;

        supervisor->is_reload_wanted = true;
        return 0;
}

static int supervisor_watch(Supervisor *supervisor)
{
        static const struct {
                int number;
                sd_event_signal_handler_t handler;
        } signals[] = {
                { SIGTERM, supervisor_on_stop },
                { SIGINT, supervisor_on_stop },
                { SIGHUP, supervisor_on_reload },
        };
        const Context *context = supervisor->context;
        int r = context->bell_fd < 0 ? -errno : sd_event_new(&supervisor->event);

        if (r >= 0)
                r = notify_open_consume(&supervisor->notify, supervisor->event,
                                        context->sockets_fd);
        if (r >= 0)
                r = child_adopt_orphans(supervisor->event);
        if (r >= 0)
                r = sd_event_add_post(supervisor->event, NULL, supervisor_advance, supervisor);
        if (r >= 0)
                r = sd_event_add_time(supervisor->event, &supervisor->timer, CLOCK_MONOTONIC,
                                      FOREVER, 1000, supervisor_on_timer, supervisor);
        if (r >= 0)
                r = sd_event_add_io(supervisor->event, NULL, context->bell_fd, EPOLLIN,
                                    supervisor_on_bell, supervisor);
        if (r >= 0)
                r = sd_event_add_io(supervisor->event, &supervisor->handoff, context->handoff_fd,
                                    EPOLLRDHUP, supervisor_on_handoff, supervisor);
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(signals); i++)
                r = sd_event_add_signal(supervisor->event, NULL, signals[i].number,
                                        signals[i].handler, supervisor);
        if (r < 0)
                log_error_errno(r, "can't set up the event loop of %s: %m", context->instance);
        return r < 0 ? r : 0;
}

static int supervisor_begin(Supervisor *supervisor)
{
        int r = supervisor_watch(supervisor);

        php_init(&supervisor->php, supervisor->event, supervisor->context);
        if (r == 0)
                r = supervisor_start_server(supervisor, &supervisor->current);
        if (r < 0)
                return r;
        php_load(&supervisor->php);
        confine_warn_key(supervisor->context);
        supervisor_set_kind(supervisor, STATE_STARTING, NOTIFY_NOTHING);
        return supervisor_advance(NULL, supervisor);
}

static void supervisor_done(Supervisor *supervisor)
{
        while (!LIST_EMPTY(&supervisor->servers)) {
                Server *server = LIST_FIRST(&supervisor->servers);

                LIST_REMOVE(server, link);
                server_free(server);
        }
        php_done(&supervisor->php);
        notify_done(&supervisor->notify);
        sd_event_source_disable_unref(supervisor->timer);
        sd_event_source_disable_unref(supervisor->handoff);
        sd_event_unref(supervisor->event);
}

int supervisor_run(Context *context)
{
        Supervisor supervisor = {
                .context = context,
                .began_usec = clock_monotonic_usec(),
                .notify.fd = -EBADF,
        };
        int r;

        report_open(&supervisor.report, context->instance, context->sockets_fd);
        context->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        r = supervisor_begin(&supervisor);
        if (r == 0)
                r = sd_event_loop(supervisor.event);
        (void)report_tell(&supervisor.report, supervisor_sum(&supervisor).n_requests, FOREVER);
        supervisor_done(&supervisor);
        context->bell_fd = close_fd(context->bell_fd);
        (void)hangup_complete(context->handoff_fd);
        return r;
}
