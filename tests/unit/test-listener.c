/* SPDX-License-Identifier: MIT */
/* Tests of a listener: which of its connections are born with the seal, and that it accepts all. */
#include "unit.h"

#include "handoff-pair.h"

#include "router/listener.h"
#include "seal/seal.h"
#include "util/clock.h"

/* More than are accepted in one turn. */
#define MANY 100

static int seal_result;
static size_t n_accepted, n_unsure;

/* What listener.c calls. */
int seal_listener(int fd)
{
        return seal_result;
}

static void accept_consume(void *userdata, int fd, const StoredConn *past, bool is_unsure)
{
        n_accepted++;
        n_unsure += is_unsure;
        close_fd(fd);
}

static void on_exhausted(void *userdata, int error)
{
        fail();
}

static const ListenerHooks hooks = { accept_consume, on_exhausted };

static struct sockaddr_in address;
static Listener listener;
static sd_event *event;
static int clients[2 * MANY];
static size_t n_clients;

static void connect_some(size_t n)
{
        for (size_t i = 0; i < n; i++) {
                clients[n_clients] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(clients[n_clients++], (struct sockaddr *)&address,
                                         sizeof(address)),
                                 0);
        }
}

static int set_up(void **state)
{
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t size = sizeof(address);

        n_accepted = n_unsure = n_clients = 0;
        seal_result = 0;
        address = (struct sockaddr_in){ .sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(fd, MANY), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        assert_true(sd_event_new(&event) >= 0);
        listener_init_consume(&listener, fd, &hooks, NULL);
        return 0;
}

static int tear_down(void **state)
{
        while (n_clients > 0)
                close_fd(clients[--n_clients]);
        listener_done(&listener);
        sd_event_unref(event);
        return 0;
}

static void accept_all(void)
{
        while (n_accepted < n_clients)
                assert_true(sd_event_run(event, UINT64_MAX) > 0);
}

/* As if the seal had been put on long ago. */
static void let_it_settle(void)
{
        listener.sealed_usec -= UINT64_C(2000000);
}

static void start(void)
{
        assert_int_equal(listener_seal(&listener), seal_result);
        assert_true(listener_start(&listener, event) >= 0);
}

static void test_what_waits_is_unsure(void **state)
{
        connect_some(MANY);
        start();
        let_it_settle();
        accept_all();
        assert_int_equal(n_unsure, MANY);
        connect_some(3);
        accept_all();
        assert_int_equal(n_unsure, MANY);
}

static void test_so_is_what_comes_at_once(void **state)
{
        start();
        connect_some(3);
        accept_all();
        assert_int_equal(n_unsure, 3);
        let_it_settle();
        /* The queue at the end of that time. */
        connect_some(2);
        accept_all();
        assert_int_equal(n_unsure, 5);
        connect_some(1);
        accept_all();
        assert_int_equal(n_unsure, 5);
}

/* Transparent=yes: each connection needs a seal of its own. */
static void test_each_may_need_one(void **state)
{
        seal_result = -EOPNOTSUPP;
        start();
        let_it_settle();
        for (size_t i = 1; i < 5; i++) {
                connect_some(1);
                accept_all();
                assert_int_equal(n_unsure, i);
        }
}

/* It takes a privilege that is not there: no connection gets one either. */
static void test_without_the_privilege(void **state)
{
        seal_result = -EPERM;
        connect_some(1);
        start();
        accept_all();
        assert_int_equal(n_unsure, 0);
}

static void test_paused(void **state)
{
        start();
        listener_set_paused(&listener, true);
        connect_some(2);
        assert_int_equal(sd_event_run(event, 0), 0);
        assert_int_equal(n_accepted, 0);
        listener_set_paused(&listener, false);
        accept_all();
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_what_waits_is_unsure),
                TEST(test_so_is_what_comes_at_once),
                TEST(test_each_may_need_one),
                TEST(test_without_the_privilege),
                TEST(test_paused),
        };

        return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
