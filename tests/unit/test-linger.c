/* SPDX-License-Identifier: MIT */
/* Tests of how a refused connection ends: the client sees the reply, never a reset. */
#include "unit.h"

#include "handoff-pair.h"

#include <poll.h>

#include "refuse/linger.h"
#include "util/clock.h"

static sd_event *event;
static LingerQueue queue;

static int set_up(void **state)
{
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(linger_init(&queue, event, 2), 0);
        return 0;
}

static int tear_down(void **state)
{
        deadline_queue_done(&queue.deadlines);
        event = sd_event_unref(event);
        return 0;
}

/* Refuses a client that has sent this, and returns its end. */
static int refuse(const char *sent)
{
        int tcp[2];

        tcp_pair(tcp);
        assert_int_equal(send(tcp[0], sent, strlen(sent), 0), strlen(sent));
        linger_refuse_consume(&queue, tcp[1], REFUSE_OVERLOAD, BELLHOP_PROTOCOL_HTTP, 0);
        return tcp[0];
}

static void assert_reply_and_end(int client)
{
        char reply[REFUSE_REPLY_MAX + 1];
        size_t size = 0;
        ssize_t n;

        while ((n = recv(client, reply + size, REFUSE_REPLY_MAX - size, 0)) > 0)
                size += (size_t)n;
        assert_int_equal(n, 0);
        assert_true(size > 0);
        assert_memory_equal(reply, "HTTP/1.1 503", 12);
        close_fd(client);
}

static bool is_open(int client)
{
        struct pollfd end = { .fd = client, .events = POLLRDHUP };

        /* Ours has ended its side in any case; beyond that, a write would be answered by a reset.
         */
        assert_true(send(client, "x", 1, MSG_NOSIGNAL) == 1 || errno == EPIPE);
        assert_true(poll(&end, 1, 0) >= 0);
        return !(end.revents & (POLLERR | POLLHUP));
}

static void test_until_the_client_ends(void **state)
{
        const size_t n_fds = count_fds();
        const int client = refuse("GET / HTTP/1.1\r\n\r\n");

        assert_int_equal(queue.deadlines.n, 1);
        /* What follows is thrown away. */
        assert_int_equal(send(client, "more", 4, 0), 4);
        assert_true(sd_event_run(event, UINT64_MAX) > 0);
        assert_int_equal(queue.deadlines.n, 1);
        assert_int_equal(shutdown(client, SHUT_WR), 0);
        while (queue.deadlines.n > 0)
                assert_true(sd_event_run(event, UINT64_MAX) > 0);
        assert_reply_and_end(client);
        assert_int_equal(count_fds(), n_fds);
}

static void test_not_for_ever(void **state)
{
        const int client = refuse("GET / HTTP/1.1\r\n\r\n");
        Deadline *deadline = deadline_queue_first(&queue.deadlines);

        assert_in_range(deadline->usec, clock_monotonic_usec(),
                        clock_monotonic_usec() + LINGER_USEC);
        /* As if that time had passed. */
        deadline_queue_remove(&queue.deadlines, deadline);
        assert_int_equal(deadline_queue_add(&queue.deadlines, deadline, 1), 0);
        assert_true(sd_event_run(event, UINT64_MAX) > 0);
        assert_int_equal(queue.deadlines.n, 0);
        assert_reply_and_end(client);
}

static void test_client_that_has_ended(void **state)
{
        const size_t n_fds = count_fds();
        int tcp[2];

        tcp_pair(tcp);
        assert_int_equal(shutdown(tcp[0], SHUT_WR), 0);
        linger_refuse_consume(&queue, tcp[1], REFUSE_OVERLOAD, BELLHOP_PROTOCOL_HTTP, 0);
        assert_int_equal(queue.deadlines.n, 0);
        assert_reply_and_end(tcp[0]);
        assert_int_equal(count_fds(), n_fds);
}

static void test_beyond_the_most_the_oldest_goes(void **state)
{
        int clients[3];

        for (size_t i = 0; i < 3; i++)
                clients[i] = refuse("GET / HTTP/1.1\r\n\r\n");
        assert_int_equal(queue.deadlines.n, 2);
        assert_false(is_open(clients[0]));
        assert_true(is_open(clients[1]));
        assert_true(is_open(clients[2]));
        close_fd(clients[0]);
        for (size_t i = 1; i < 3; i++)
                assert_reply_and_end(clients[i]);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_until_the_client_ends),
                TEST(test_not_for_ever),
                TEST(test_client_that_has_ended),
                TEST(test_beyond_the_most_the_oldest_goes),
        };

        return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
