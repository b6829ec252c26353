/* SPDX-License-Identifier: MIT */
/* systemd starts the stand-in when an instance has failed, and starts the instance again when the
 * stand-in ends. Meanwhile, connections wait in the queue, which is the hand-off socket.
 *
 * If the instance could not start, the stand-in refuses the connections in the queue. If the
 * instance was ready before, or if a signal killed it while it started, a new start can serve the
 * queue, so the stand-in ends at once. But if the instance crashed soon after its start twice in a
 * row, the stand-in pauses before it ends.
 *
 * When the first connection in the queue has waited PATIENCE_USEC, the stand-in refuses the
 * connections in two more cases: if a signal killed the instance while it started, and if the
 * instance ended without a signal soon after it was ready. The second case is for Apache, which is
 * ready before it has its threads. */
#include <assert.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "config/names.h"
#include "handoff/hangup.h"
#include "refuse/linger.h"
#include "sniff/sniff.h"
#include "standin/standin.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/notify.h"

#define SYSTEMD           "org.freedesktop.systemd1"
#define SYSTEMD_UNIT      SYSTEMD ".Unit"
#define SYSTEMD_SERVICE   SYSTEMD ".Service"
#define SYSTEMD_UNIT_PATH "/org/freedesktop/systemd1/unit"

/* All answers of systemd must arrive within this time. It is limited, because clients wait
 * meanwhile, and systemd or D-Bus may hang. It is several seconds, because systemd may be busy with
 * a daemon-reload of thousands of units. */
#define ASK_USEC (5 * UINT64_C(1000000))

/* A crash is part of a loop if the instance was ready for less than LOOP_RAN_USEC, and the previous
 * stand-in ended less than LOOP_APART_USEC before the crash. */
#define LOOP_RAN_USEC   UINT64_C(1000000)
#define LOOP_APART_USEC (2 * UINT64_C(1000000))

#define PATIENCE_USEC (5 * UINT64_C(1000000))

/* The maximum number of refused connections that are still open. It is far below the usual
 * LimitNOFILE= of 1024, because one datagram can bring up to 253 more descriptors. */
#define STANDIN_LINGERING_MAX 512

/* Whether the instance has run since the last stand-in. If it has not, systemd could not start it,
 * for example because bellhop-firewall, which it needs, could not start. */
static bool standin_has_run(const EndingFacts *facts)
{
        return facts->end_usec > facts->last_stand_in_usec;
}

Ending standin_judge(const EndingFacts *facts)
{
        const bool was_ready = facts->ready_usec > 0 && facts->ready_usec >= facts->start_usec;
        const uint64_t ran_usec = was_ready ? facts->end_usec - facts->ready_usec : 0;

        if (!facts->is_loaded || !standin_has_run(facts) || (!was_ready && !facts->is_killed))
                return ENDING_NEVER_READY;
        if (facts->waited_usec >= PATIENCE_USEC &&
            (!was_ready || (!facts->is_killed && ran_usec < PATIENCE_USEC)))
                return ENDING_NEVER_READY;
        if (ran_usec < LOOP_RAN_USEC && facts->last_stand_in_usec > 0 &&
            facts->end_usec - facts->last_stand_in_usec < LOOP_APART_USEC)
                return ENDING_CRASH_LOOP;
        return ENDING_CRASH;
}

/* Whether a signal ended the service. For the values of result, see $SERVICE_RESULT in
 * systemd.exec(5). */
static bool standin_is_by_signal(const char *result)
{
        return strcmp(result, "signal") == 0 || strcmp(result, "core-dump") == 0 ||
               strcmp(result, "oom-kill") == 0;
}

/* Limits the next call on the bus to the time that is left until the deadline. Call it before each
 * call. */
static int standin_limit(sd_bus *bus, uint64_t deadline_usec)
{
        const uint64_t now = clock_monotonic_usec();

        return now < deadline_usec ? sd_bus_set_method_call_timeout(bus, deadline_usec - now)
                                   : -ETIMEDOUT;
}

static int standin_ask_times(sd_bus *bus, uint64_t deadline_usec, const char *path,
                             const char *own_path, EndingFacts *facts)
{
        const struct {
                const char *path, *property;
                uint64_t *usec;
        } times[] = {
                { path, "InactiveExitTimestampMonotonic", &facts->start_usec },
                { path, "ActiveEnterTimestampMonotonic", &facts->ready_usec },
                { path, "InactiveEnterTimestampMonotonic", &facts->end_usec },
                { own_path, "InactiveEnterTimestampMonotonic", &facts->last_stand_in_usec },
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(times); i++) {
                r = standin_limit(bus, deadline_usec);
                if (r >= 0)
                        r = sd_bus_get_property_trivial(bus, SYSTEMD, times[i].path, SYSTEMD_UNIT,
                                                        times[i].property, NULL, 't',
                                                        times[i].usec);
        }
        return r;
}

static int standin_ask_bus(sd_bus *bus, uint64_t deadline_usec, const char *instance,
                           EndingFacts *facts)
{
        _cleanup_free_ char *path = NULL, *own_path = NULL, *load_state = NULL, *result = NULL;
        char unit[NAME_UNIT_MAX];
        int32_t status = 0;
        int r = sd_bus_path_encode(SYSTEMD_UNIT_PATH, name_unit(NAME_SERVICE_UNIT, instance, unit),
                                   &path);

        if (r >= 0)
                r = sd_bus_path_encode(SYSTEMD_UNIT_PATH,
                                       name_unit(NAME_STANDIN_UNIT, instance, unit), &own_path);
        if (r >= 0)
                r = standin_limit(bus, deadline_usec);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD, path, SYSTEMD_UNIT, "LoadState", NULL,
                                               &load_state);
        if (r < 0)
                return r;
        if (strcmp(load_state, "loaded") != 0) {
                snprintf(facts->cause, sizeof(facts->cause), "%s", load_state);
                return 0;
        }
        r = standin_ask_times(bus, deadline_usec, path, own_path, facts);
        if (r >= 0)
                r = standin_limit(bus, deadline_usec);
        if (r >= 0)
                r = sd_bus_get_property_string(bus, SYSTEMD, path, SYSTEMD_SERVICE, "Result", NULL,
                                               &result);
        if (r >= 0)
                r = standin_limit(bus, deadline_usec);
        if (r >= 0)
                r = sd_bus_get_property_trivial(bus, SYSTEMD, path, SYSTEMD_SERVICE,
                                                "ExecMainStatus", NULL, 'i', &status);
        if (r < 0)
                return r;
        facts->is_loaded = true;
        facts->is_killed = standin_is_by_signal(result);
        if (standin_has_run(facts))
                snprintf(facts->cause, sizeof(facts->cause), "%s %d", result, status);
        else
                snprintf(facts->cause, sizeof(facts->cause), "its start job failed");
        return 0;
}

/* Waits for the end of authentication on the bus. sd-bus itself would wait up to 90 seconds, which
 * is too long here. */
static int standin_log_in(sd_bus *bus, uint64_t deadline_usec)
{
        int r;

        while ((r = sd_bus_is_ready(bus)) == 0) {
                const uint64_t now = clock_monotonic_usec();

                if (now >= deadline_usec)
                        return -ETIMEDOUT;
                r = sd_bus_process(bus, NULL);
                if (r == 0)
                        r = sd_bus_wait(bus, deadline_usec - now);
                if (r < 0)
                        return r;
        }
        return r;
}

int standin_ask(const char *instance, EndingFacts *ret)
{
        const uint64_t deadline_usec = clock_monotonic_usec() + ASK_USEC;
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        *ret = (EndingFacts){ .cause = "unknown cause" };
        if (r >= 0)
                r = standin_log_in(bus, deadline_usec);
        if (r >= 0)
                r = standin_ask_bus(bus, deadline_usec, instance, ret);
        sd_bus_close_unref(bus);
        return r;
}

typedef struct Standin {
        sd_event *event;
        Notify notify;
        int handoff_fd;
        const char *instance;
        const char *cause;
        uid_t sender;
        sd_event_source *handoff; /* NULL: the pause is over */
        LingerQueue lingering;
        size_t n_refused;
} Standin;

uint64_t standin_waited_usec(int handoff_fd)
{
        const uint64_t now = clock_nsec(CLOCK_MONOTONIC);
        struct bellhop_header header;

        if (recv(handoff_fd, &header, sizeof(header), MSG_PEEK | MSG_DONTWAIT) !=
                    (ssize_t)sizeof(header) ||
            header.accepted_nsec > now)
                return 0;
        return (now - header.accepted_nsec) / 1000;
}

/* Finds the protocol in which to refuse a connection. The router has already found it, unless it
 * routed the connection by the local address. */
static enum bellhop_protocol standin_find_protocol(int fd, const struct bellhop_handoff *handoff)
{
        uint8_t first[16];
        ssize_t n;

        if (handoff->protocol != BELLHOP_PROTOCOL_UNKNOWN)
                return handoff->protocol;
        n = recv(fd, first, sizeof(first), MSG_PEEK | MSG_DONTWAIT);
        return n > 0 ? sniff((Span){ .data = first, .size = (size_t)n }).protocol
                     : BELLHOP_PROTOCOL_UNKNOWN;
}

static void standin_notify_status(Standin *standin)
{
        notify_send(&standin->notify, NOTIFY_NOTHING,
                    "%s can't start (%s); refused %zu connections", standin->instance,
                    standin->cause, standin->n_refused);
}

/* Refuses all connections in the queue in one turn of the event loop, because the queue is short.
 */
static int standin_on_handoff(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Standin *standin = userdata;

        for (;;) {
                struct bellhop_handoff handoff;
                int connection;
                const int r = bellhop_receive(fd, standin->sender, &handoff, &connection);

                if (r == BELLHOP_RECEIVE_EMPTY)
                        break;
                if (r < 0)
                        return r;
                if (r > 0)
                        continue;
                standin->n_refused++;
                linger_refuse_consume(&standin->lingering, connection, REFUSE_UNAVAILABLE,
                                      standin_find_protocol(connection, &handoff), 0);
        }
        if (hangup_complete(fd))
                return sd_event_exit(standin->event, 0);
        standin_notify_status(standin);
        return 0;
}

static int standin_on_end(sd_event_source *source, uint64_t usec, void *userdata)
{
        Standin *standin = userdata;

        standin->handoff = sd_event_source_disable_unref(standin->handoff);
        return 0;
}

static int standin_init(Standin *standin, uint64_t pause_usec)
{
        int r = sd_event_new(&standin->event);

        if (r >= 0)
                r = notify_open_consume(&standin->notify, standin->event, -EBADF);
        if (r >= 0)
                r = sd_event_set_signal_exit(standin->event, true);
        if (r >= 0)
                r = linger_init(&standin->lingering, standin->event, STANDIN_LINGERING_MAX);
        if (r >= 0)
                r = sd_event_add_time_relative(standin->event, NULL, CLOCK_MONOTONIC, pause_usec, 0,
                                               standin_on_end, standin);
        if (r >= 0)
                r = sd_event_add_io(standin->event, &standin->handoff, standin->handoff_fd, EPOLLIN,
                                    standin_on_handoff, standin);
        return r;
}

int standin_run_consume(int handoff_fd, const char *instance, const char *cause, uid_t sender_uid,
                        uint64_t pause_usec)
{
        Standin standin = {
                .notify.fd = -EBADF,
                .handoff_fd = handoff_fd,
                .instance = instance,
                .cause = cause,
                .sender = sender_uid,
        };
        int r;

        assert(handoff_fd >= 0);
        r = standin_init(&standin, pause_usec);
        standin_notify_status(&standin);
        while (r >= 0 && sd_event_get_state(standin.event) != SD_EVENT_FINISHED &&
               (standin.handoff || standin.lingering.deadlines.n > 0))
                r = sd_event_run(standin.event, UINT64_MAX);

        deadline_queue_done(&standin.lingering.deadlines);
        sd_event_source_disable_unref(standin.handoff);
        notify_done(&standin.notify);
        sd_event_unref(standin.event);
        close_fd(handoff_fd);
        log_full(LOG_INFO, &(LogFields){ .instance = instance },
                 "refused %zu connections of %s; the next connection starts it again",
                 standin.n_refused, instance);
        return r < 0 ? r : 0;
}
