/* SPDX-License-Identifier: MIT */
/* Tests of the stand-in: how an end is judged, and that each visitor in the queue gets a reply. */
#include "handoff-pair.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "refuse/linger.h"
#include "standin/standin.h"
#include "util/clock.h"

#define SEC        UINT64_C(1000000)
#define PAUSE_USEC 50000

#define REQUEST "GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n"
#define HELLO   "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
#define ALERT   "\x15\x03\x03\x00\x02\x02\x50"

static void test_judgement(void **state)
{
        static const struct {
                EndingFacts facts;
                Ending expected;
        } cases[] = {
                /* loaded, killed; start, ready, end, end of the last stand-in; waited */
                { { 1, 0, 100 * SEC, 0, 101 * SEC, 0, 0, "" }, ENDING_NEVER_READY },
                { { 1, 0, 100 * SEC, 50 * SEC, 101 * SEC, 0, 0, "" }, ENDING_NEVER_READY },
                { { 1, 0, 100 * SEC, 50 * SEC, 101 * SEC, 99 * SEC, 0, "" }, ENDING_NEVER_READY },
                { { 0, 0, 100 * SEC, 101 * SEC, 110 * SEC, 0, 0, "" }, ENDING_NEVER_READY },
                { { 1, 0, 0, 0, 0, 0, 0, "" }, ENDING_NEVER_READY },
                /* It has not run since the last stand-in. */
                { { 1, 0, 100 * SEC, 101 * SEC, 110 * SEC, 111 * SEC, 0, "" }, ENDING_NEVER_READY },
                { { 1, 1, 100 * SEC, 101 * SEC, 110 * SEC, 111 * SEC, 0, "" }, ENDING_NEVER_READY },
                /* Ready once. */
                { { 1, 0, 100 * SEC, 101 * SEC, 110 * SEC, 0, 0, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 101 * SEC, 110 * SEC, 109 * SEC, 60 * SEC, "" },
                  ENDING_CRASH },
                { { 1, 1, 100 * SEC, 101 * SEC, 101 * SEC + 1, 0, 0, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 101 * SEC, 101 * SEC + 1, 99 * SEC, 0, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 101 * SEC, 101 * SEC + 1, 100 * SEC, 0, "" },
                  ENDING_CRASH_LOOP },
                /* Ready, but it ended with an error before it served a client that waits. */
                { { 1, 0, 100 * SEC, 101 * SEC, 103 * SEC, 100 * SEC, 5 * SEC, "" },
                  ENDING_NEVER_READY },
                { { 1, 0, 100 * SEC, 101 * SEC, 103 * SEC, 100 * SEC, 4 * SEC, "" }, ENDING_CRASH },
                { { 1, 0, 100 * SEC, 101 * SEC, 106 * SEC, 100 * SEC, 5 * SEC, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 101 * SEC, 103 * SEC, 100 * SEC, 5 * SEC, "" }, ENDING_CRASH },
                /* Killed while it started. */
                { { 1, 1, 100 * SEC, 50 * SEC, 101 * SEC, 0, 0, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 50 * SEC, 101 * SEC, 98 * SEC, 0, "" }, ENDING_CRASH },
                { { 1, 1, 100 * SEC, 0, 101 * SEC, 100 * SEC, SEC, "" }, ENDING_CRASH_LOOP },
                { { 1, 1, 100 * SEC, 50 * SEC, 101 * SEC, 100 * SEC, 5 * SEC, "" },
                  ENDING_NEVER_READY },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (standin_judge(&cases[i].facts) != cases[i].expected)
                        fail_msg("case %zu: %d", i, standin_judge(&cases[i].facts));
}

static void run_consume(int fd, uint64_t pause_usec)
{
        assert_int_equal(standin_run_consume(fd, "alice", "exit-code 1", getuid(), pause_usec), 0);
}

static void send_handoff(int fd, enum bellhop_protocol protocol, int connection)
{
        struct bellhop_header header = good_header(0);

        header.protocol = (uint8_t)protocol;
        send_raw(fd, &header, sizeof(header), &connection, 1);
}

/* What the client reads before the end of the connection. */
static size_t read_reply(int fd, char ret[static REFUSE_REPLY_MAX + 1])
{
        size_t size = 0;
        ssize_t n;

        while ((n = recv(fd, ret + size, REFUSE_REPLY_MAX - size, 0)) > 0)
                size += (size_t)n;
        assert_int_equal(n, 0);
        ret[size] = 0;
        return size;
}

static void test_words(void **state)
{
        static const struct {
                const char *sent;
                enum bellhop_protocol protocol;
                bool is_tls;
        } cases[] = {
                { REQUEST, BELLHOP_PROTOCOL_HTTP, false },
                { HELLO, BELLHOP_PROTOCOL_TLS, true },
                /* What the router knows counts: in front of it may be a PROXY header. */
                { "PROXY TCP4 192.0.2.1 192.0.2.2 1 443\r\n", BELLHOP_PROTOCOL_TLS, true },
                { REQUEST, BELLHOP_PROTOCOL_UNKNOWN, false },
                { HELLO, BELLHOP_PROTOCOL_UNKNOWN, true },
                { "\x80", BELLHOP_PROTOCOL_UNKNOWN, true },
                { "", BELLHOP_PROTOCOL_UNKNOWN, false },
                { "SSH-2.0-x\r\n", BELLHOP_PROTOCOL_UNKNOWN, false },
        };
        const size_t n_fds = count_fds();
        int pair[2], client[ELEMENTSOF(cases)];
        char reply[REFUSE_REPLY_MAX + 1];

        handoff_pair(pair);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_close_ int server = -EBADF;
                int tcp[2];

                tcp_pair(tcp);
                client[i] = tcp[0];
                server = tcp[1];
                assert_int_equal(send(tcp[0], cases[i].sent, strlen(cases[i].sent), 0),
                                 strlen(cases[i].sent));
                send_handoff(pair[0], cases[i].protocol, server);
                /* A client that has ended its side as well is not waited for. */
                assert_int_equal(shutdown(tcp[0], SHUT_WR), 0);
        }
        run_consume(pair[1], PAUSE_USEC);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const size_t size = read_reply(client[i], reply);

                if (cases[i].is_tls) {
                        assert_int_equal(size, sizeof(ALERT) - 1);
                        assert_memory_equal(reply, ALERT, size);
                } else {
                        assert_ptr_equal(strstr(reply, "HTTP/1.1 503 Service Unavailable\r\n"),
                                         reply);
                        assert_non_null(strstr(reply, "\r\nRetry-After: 5\r\n"));
                }
                close_fd(client[i]);
        }
        close_fd(pair[0]);
        assert_int_equal(count_fds(), n_fds);
}

static void test_waited(void **state)
{
        struct bellhop_header header = good_header(0);
        int pair[2];
        uint64_t waited;

        handoff_pair(pair);
        assert_int_equal(standin_waited_usec(pair[1]), 0);
        header.accepted_nsec = clock_nsec(CLOCK_MONOTONIC) - 7 * NSEC_PER_SEC;
        send_raw(pair[0], &header, sizeof(header), NULL, 0);
        waited = standin_waited_usec(pair[1]);
        assert_in_range(waited, 7 * SEC, 8 * SEC);
        assert_true(standin_waited_usec(pair[1]) >= waited); /* it is still there */
        assert_int_equal(recv(pair[1], &header, sizeof(header), 0), sizeof(header));

        header.accepted_nsec = UINT64_MAX;
        send_raw(pair[0], &header, sizeof(header), NULL, 0);
        send_raw(pair[0], &header, 1, NULL, 0);
        assert_int_equal(standin_waited_usec(pair[1]), 0);
        assert_int_equal(recv(pair[1], &header, sizeof(header), 0), sizeof(header));
        assert_int_equal(standin_waited_usec(pair[1]), 0);
        for (size_t i = 0; i < 2; i++)
                close_fd(pair[i]);
}

/* It takes what others send out of the queue, and gives them nothing. */
static void test_not_from_the_router(void **state)
{
        struct bellhop_header header = good_header(0);
        int pair[2], tcp[2];
        char byte;

        header.version = 2;
        handoff_pair(pair);
        tcp_pair(tcp);
        send_raw(pair[0], &header, sizeof(header), &tcp[1], 1);
        send_raw(pair[0], S("nonsense"), NULL, 0);
        close_fd(tcp[1]);
        run_consume(pair[1], PAUSE_USEC);
        assert_int_equal(recv(tcp[0], &byte, 1, 0), 0);
        close_fd(tcp[0]);
        close_fd(pair[0]);
}

/* A client that has not ended its side has time to take its reply, and not more. */
/* Nothing can receive there any more; other holders of the socket must notice this. */
static void test_shut_by_somebody(void **state)
{
        const uint64_t began = clock_monotonic_usec();
        _cleanup_close_ int copy = -EBADF;
        struct pollfd end = { .events = POLLIN };
        int pair[2];

        handoff_pair(pair);
        copy = dup(pair[1]);
        assert_int_equal(shutdown(copy, SHUT_RD), 0);
        run_consume(pair[1], 60 * SEC);
        assert_true(clock_monotonic_usec() - began < 30 * SEC);
        end.fd = copy;
        assert_int_equal(poll(&end, 1, 0), 1);
        assert_true(end.revents & POLLHUP);
        close_fd(pair[0]);
}

static void test_lingers(void **state)
{
        const uint64_t began = clock_monotonic_usec();
        char reply[REFUSE_REPLY_MAX + 1];
        int pair[2], tcp[2];

        handoff_pair(pair);
        tcp_pair(tcp);
        send_handoff(pair[0], BELLHOP_PROTOCOL_TLS, tcp[1]);
        close_fd(tcp[1]);
        run_consume(pair[1], PAUSE_USEC);
        assert_true(clock_monotonic_usec() - began >= LINGER_USEC);
        assert_int_equal(read_reply(tcp[0], reply), sizeof(ALERT) - 1);
        close_fd(tcp[0]);
        close_fd(pair[0]);
}

#define MANY 700

/* Clients that never end their side, in a process of their own. When all have their reply, the
 * stand-in is told to end, as systemd does it. */
static void many_clients(int handoff_fd)
{
        static int clients[MANY];
        char reply[REFUSE_REPLY_MAX + 1];

        for (size_t i = 0; i < MANY; i++) {
                int tcp[2];

                tcp_pair(tcp);
                clients[i] = tcp[0];
                /* The queue holds fewer. */
                assert_int_equal(poll(&(struct pollfd){ .fd = handoff_fd, .events = POLLOUT }, 1,
                                      10000),
                                 1);
                send_handoff(handoff_fd, BELLHOP_PROTOCOL_TLS, tcp[1]);
                close_fd(tcp[1]);
        }
        for (size_t i = 0; i < MANY; i++)
                if (read_reply(clients[i], reply) != sizeof(ALERT) - 1)
                        _exit(EXIT_FAILURE);
        _exit(kill(getppid(), SIGTERM) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

static void test_more_than_it_has_descriptors_for(void **state)
{
        struct rlimit limit, low;
        int pair[2], status;
        pid_t pid;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        low = (struct rlimit){ .rlim_cur = MANY - 100, .rlim_max = limit.rlim_max };
        handoff_pair(pair);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                many_clients(pair[0]);
        close_fd(pair[0]);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
        run_consume(pair[1], 60 * SEC);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_judgement),
                cmocka_unit_test(test_waited),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_not_from_the_router),
                cmocka_unit_test(test_shut_by_somebody),
                cmocka_unit_test(test_lingers),
                cmocka_unit_test(test_more_than_it_has_descriptors_for),
        };

        return cmocka_run_group_tests_name("standin", tests, NULL, NULL);
}
