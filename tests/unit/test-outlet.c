/* SPDX-License-Identifier: MIT */
/* Tests of an outlet: what is sent, what waits, and in which order. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "config/names.h"
#include "router/outlet.h"

#define N 4

static const StartHooks *hooks;
static bool may_send, starts_it;
static int connect_result, send_result; /* 0: works */
static unsigned n_connects, n_forgotten, n_log_lines, n_looks;
static int peers[2]; /* a pair of datagram sockets */
static char sent[64], results[64];
static const char *expected_path;

static Metrics metrics;
static LogLimit limits[LOG_KINDS];

/* What outlet.c calls. */
int starts_init(Starts *starts, sd_event *event, const StartHooks *all)
{
        hooks = all;
        return 0;
}

void starts_set_max(Starts *starts, size_t setting)
{
        starts->max = setting;
}

bool starts_may_send(Starts *starts, Start *start)
{
        if (!may_send)
                start->state = START_WAITING;
        return may_send;
}

bool starts_sent(Starts *starts, Start *start)
{
        return starts_it;
}

void starts_look(Starts *starts, Start *start)
{
        n_looks++;
}

void starts_forget(Starts *starts, Start *start)
{
        start->state = START_NONE;
        n_forgotten++;
}

bool name_path_fill(NamePath what, const char *dir, const char *instance, char ret[static PATH_MAX])
{
        (void)snprintf(ret, PATH_MAX, "%s%s%s", dir,
                       what == NAME_HANDOFF_SOCKET ? "/handoff/" : "/runtime/", instance);
        return true;
}

int bellhop_connect(const char *path)
{
        assert_string_equal(path, expected_path);
        n_connects++;
        return connect_result < 0 ? connect_result : dup(peers[0]);
}

int bellhop_send(int handoff_fd, const struct bellhop_handoff *handoff, int fd)
{
        if (send_result == 0)
                (void)strcat(sent, handoff->host);
        return send_result;
}

void log_limits_write(LogLimit all[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                      LogFields fields, const char *format, ...)
{
        assert_ptr_equal(all, limits);
        assert_int_equal(kind == LOG_KIND_RESPONDER, !of_instance);
        assert_int_equal(kind == LOG_KIND_RESPONDER, !fields.instance);
        n_log_lines++;
}

/* As conn.c: takes the connection out of the queue, and notes what became of it. */
static void on_result(Waiter *waiter, OutletResult result)
{
        (void)strcat(results, result == OUTLET_SENT ? "+" : "-");
        (void)strcat(results, waiter->handoff->host);
        outlet_dequeue(waiter);
}

static OutletShared shared;
static Outlet *outlet;
static struct bellhop_handoff handoffs[N];
static Waiter waiters[N];

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        outlet_flush(outlet);
        return 0;
}

static int set_up(void **state)
{
        metrics = (Metrics){ .accepted = 0 };
        shared = (OutletShared){ .runtime_dir = "/run/test",
                                 .metrics = &metrics,
                                 .log_limits = limits,
                                 .on_result = on_result };
        may_send = true;
        starts_it = false;
        expected_path = "/run/test/handoff/alice";
        connect_result = send_result = 0;
        n_connects = n_forgotten = n_log_lines = n_looks = 0;
        sent[0] = results[0] = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, peers),
                         0);
        assert_true(sd_event_new(&shared.event) >= 0);
        assert_true(sd_event_add_time(shared.event, &shared.retry, CLOCK_MONOTONIC, UINT64_MAX, 1,
                                      on_retry, NULL) >= 0);
        assert_true(sd_event_source_set_enabled(shared.retry, SD_EVENT_OFF) >= 0);
        assert_int_equal(outlet_shared_init(&shared), 0);
        outlet_shared_set(&shared, &(RouterSettings){ .starting_max = 3 }, 1);
        assert_int_equal(shared.starts.max, 3);
        outlet = outlet_new(&shared, "alice");
        assert_non_null(outlet);
        for (size_t i = 0; i < N; i++) {
                handoffs[i] = (struct bellhop_handoff){ .host = { (char)('a' + i) } };
                waiters[i] = (Waiter){ .handoff = &handoffs[i], .fd = 0 };
        }
        return 0;
}

static int tear_down(void **state)
{
        outlet = outlet_free(outlet);
        sd_event_source_disable_unref(shared.retry);
        sd_event_unref(shared.event);
        close_fd(peers[0]);
        close_fd(peers[1]);
        return 0;
}

static OutletResult send_one(size_t i)
{
        return outlet_send(outlet, &handoffs[i], 0);
}

static void enqueue(size_t i)
{
        assert_int_equal(send_one(i), OUTLET_WAIT);
        assert_int_equal(outlet_enqueue(outlet, &waiters[i]), 0);
}

static bool is_watched(void)
{
        int enabled = SD_EVENT_OFF;

        assert_non_null(outlet->writable);
        assert_true(sd_event_source_get_enabled(outlet->writable, &enabled) >= 0);
        return enabled != SD_EVENT_OFF;
}

static void test_connects_once(void **state)
{
        assert_int_equal(n_connects, 0);
        assert_int_equal(send_one(0), OUTLET_SENT);
        assert_int_equal(send_one(1), OUTLET_SENT);
        assert_string_equal(sent, "ab");
        assert_int_equal(n_connects, 1);
        assert_false(is_watched());
}

static void test_connects_again_when_the_other_end_has_gone(void **state)
{
        assert_int_equal(send_one(0), OUTLET_SENT);
        send_result = BELLHOP_SEND_GONE;
        outlet->start.unread_bytes = 4096; /* in the queue that has gone */
        assert_int_equal(send_one(1), OUTLET_ABSENT);
        assert_int_equal(n_connects, 2);
        assert_int_equal(n_log_lines, 1);
        assert_true(n_forgotten > 0);
        send_result = 0;
        assert_int_equal(send_one(1), OUTLET_SENT);
        assert_int_equal(n_connects, 3);
        assert_string_equal(sent, "ab");
        assert_int_equal(outlet->start.unread_bytes, 0);
}

static void test_absent(void **state)
{
        connect_result = -ENOENT;
        assert_int_equal(send_one(0), OUTLET_ABSENT);
        assert_int_equal(n_connects, 1);
        assert_int_equal(n_log_lines, 1);
}

static void test_full_queue(void **state)
{
        send_result = BELLHOP_SEND_FULL;
        enqueue(0);
        enqueue(1);
        assert_int_equal(outlet->metrics.queue_full_waits, 2);
        assert_int_equal(metrics.queue_full_waits, 2);
        assert_true(is_watched());
        /* Room alone does not let one overtake. */
        send_result = 0;
        enqueue(2);
        assert_string_equal(sent, "");
        /* The socket is writable. */
        assert_true(sd_event_run(shared.event, UINT64_MAX) > 0);
        assert_int_equal(n_looks, 1);
        assert_string_equal(results, "+a+b+c");
        assert_string_equal(sent, "abc");
        assert_int_equal(outlet->n_waiting, 0);
        assert_false(is_watched());
}

static void test_gone_while_they_wait(void **state)
{
        send_result = BELLHOP_SEND_FULL;
        enqueue(0);
        enqueue(1);
        send_result = BELLHOP_SEND_GONE;
        outlet_flush(outlet);
        assert_string_equal(results, "-a-b");
}

static void test_too_many_under_way(void **state)
{
        send_result = BELLHOP_SEND_IN_FLIGHT;
        enqueue(0);
        assert_int_equal(outlet->metrics.in_flight_waits, 1);
        assert_int_equal(metrics.in_flight_waits, 1);
        /* The socket is writable, so watching it would spin. A timer tries again. */
        assert_false(is_watched());
        send_result = 0;
        assert_true(sd_event_run(shared.event, UINT64_MAX) > 0);
        assert_string_equal(results, "+a");
}

static void test_waits_for_its_turn(void **state)
{
        may_send = false;
        enqueue(0);
        enqueue(1);
        assert_int_equal(n_connects, 0);
        assert_int_equal(outlet->metrics.start_waits, 2);
        /* One leaves. */
        outlet_dequeue(&waiters[0]);
        assert_null(waiters[0].outlet);
        assert_int_equal(n_forgotten, 0);
        may_send = starts_it = true;
        outlet->start.state = START_HAS_SLOT;
        hooks->on_turn(&outlet->start);
        assert_string_equal(results, "+b");
        assert_int_equal(outlet->metrics.starts, 1);
        assert_int_equal(metrics.starts, 1);
        /* The first byte that it reads is to be noticed. */
        assert_true(is_watched());
        outlet->start.state = START_NONE;
        hooks->on_left(&outlet->start, true);
        assert_false(is_watched());
        assert_int_equal(outlet->metrics.late_starts, 1);
        assert_int_equal(n_log_lines, 1);
}

static void test_turn_without_need(void **state)
{
        may_send = false;
        enqueue(0);
        outlet_dequeue(&waiters[0]);
        assert_int_equal(n_forgotten, 1);
        outlet->start.state = START_HAS_SLOT;
        hooks->on_turn(&outlet->start);
        assert_int_equal(n_forgotten, 2);
        assert_string_equal(sent, "");
}

static void test_asked_about_the_instance(void **state)
{
        char byte = 0;

        assert_int_equal(hooks->unread_bytes(&outlet->start), 0);
        assert_false(hooks->runs(&outlet->start));
        assert_int_equal(send_one(0), OUTLET_SENT);
        assert_int_equal(send(outlet->fd, &byte, 1, 0), 1);
        assert_true(hooks->unread_bytes(&outlet->start) > 0);
        assert_int_equal(recv(peers[1], &byte, 1, 0), 1);
        assert_int_equal(hooks->unread_bytes(&outlet->start), 0);
}

static int send_buffer(void)
{
        socklen_t size = sizeof(int);
        int value = 0;

        assert_int_equal(getsockopt(outlet->fd, SOL_SOCKET, SO_SNDBUF, &value, &size), 0);
        return value;
}

static void test_bound(void **state)
{
        int few;

        outlet_shared_set(&shared, &(RouterSettings){ .in_flight_max_per_instance = 20 }, 1);
        assert_int_equal(send_one(0), OUTLET_SENT);
        few = send_buffer();
        outlet_shared_set(&shared, &(RouterSettings){ .in_flight_max_per_instance = 40 }, 1);
        outlet_bound(outlet);
        assert_int_equal(send_buffer(), 2 * few);
        /* A share of the descriptors: neither too few nor more than a queue holds. */
        outlet_shared_set(&shared, &(RouterSettings){ .starting_max = 1 }, SIZE_MAX);
        assert_int_equal(shared.in_flight_max, 16);
        outlet_shared_set(&shared, &(RouterSettings){ .starting_max = 1 }, 0);
        assert_int_equal(shared.in_flight_max, 512);
}

/* The responder is not an instance: it takes no turn to start, and starting it counts for none. */
static void test_responder(void **state)
{
        outlet = outlet_free(outlet);
        outlet = outlet_new(&shared, NULL);
        assert_non_null(outlet);
        expected_path = "/run/test/acme-tls";
        may_send = false;
        starts_it = true;
        assert_int_equal(send_one(0), OUTLET_SENT);
        assert_int_equal(metrics.starts, 0);
        send_result = BELLHOP_SEND_FULL;
        enqueue(1);
        assert_int_equal(metrics.queue_full_waits, 1);
        assert_int_equal(n_log_lines, 1);
        send_result = 0;
        outlet_flush(outlet);
        assert_string_equal(results, "+b");
        send_result = BELLHOP_SEND_GONE;
        assert_int_equal(send_one(2), OUTLET_ABSENT);
        assert_int_equal(n_log_lines, 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_connects_once),
                TEST(test_connects_again_when_the_other_end_has_gone),
                TEST(test_absent),
                TEST(test_full_queue),
                TEST(test_gone_while_they_wait),
                TEST(test_too_many_under_way),
                TEST(test_waits_for_its_turn),
                TEST(test_turn_without_need),
                TEST(test_asked_about_the_instance),
                TEST(test_bound),
                TEST(test_responder),
        };

        return cmocka_run_group_tests_name("outlet", tests, NULL, NULL);
}
