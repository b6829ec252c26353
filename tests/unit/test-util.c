/* SPDX-License-Identifier: MIT */
/* Tests of the readers of spans, of the limit on log lines, and of the name of a peer. */
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "util/address.h"
#include "util/clock.h"
#include "util/log-limit.h"

static void test_take(void **state)
{
        Span s = guarded_span("abcdef", 6), taken = { .size = 99 };
        const uint8_t *begin = s.data;

        (void)state;
        assert_true(span_take(&s, 0, &taken));
        assert_int_equal(taken.size, 0);
        assert_int_equal(s.size, 6);
        assert_true(span_take(&s, 2, &taken));
        assert_true(taken.data == begin && taken.size == 2);
        assert_true(s.data == begin + 2 && s.size == 4);
        assert_false(span_take(&s, 5, &taken));
        assert_false(span_take(&s, SIZE_MAX, &taken));
        assert_true(s.data == begin + 2 && s.size == 4);
        assert_true(taken.data == begin && taken.size == 2);
        assert_true(span_take(&s, 4, &taken));
        assert_int_equal(s.size, 0);
        assert_false(span_take(&s, 1, &taken));
        assert_true(span_take(&s, 0, &taken));
}

static void test_take_uint(void **state)
{
        static const uint32_t values[] = { 0, 0xf1, 0xf1f2, 0xf1f2f3, 0xf1f2f3f4 };

        (void)state;
        for (size_t n = 0; n <= 4; n++)
                for (size_t size = 0; size <= 5; size++) {
                        Span s = guarded_span("\xf1\xf2\xf3\xf4\xf5", size);
                        uint32_t value = 4711;
                        const bool ok = span_take_uint(&s, n, &value);

                        assert_int_equal(ok, size >= n);
                        assert_int_equal(value, ok ? values[n] : 4711);
                        assert_int_equal(s.size, ok ? size - n : size);
                }
}

static void test_equals(void **state)
{
        (void)state;
        assert_true(span_equals(guarded_span(S("ab")), "ab"));
        assert_false(span_equals(guarded_span(S("a")), "ab"));
        assert_false(span_equals(guarded_span(S("abc")), "ab"));
        assert_false(span_equals(guarded_span(S("aB")), "ab"));
        assert_false(span_equals(guarded_span(S("ab\0")), "ab"));
        assert_true(span_equals(guarded_span(S("")), ""));
        assert_int_equal(span_from_string("abc").size, 3);
}

static void test_log_limit(void **state)
{
        LogLimit limit = { .interval_usec = 1000, .burst = 2 };
        unsigned left_out = 99;

        (void)state;
        assert_true(log_limit_pass(&limit, 5000, &left_out));
        assert_int_equal(left_out, 0);
        assert_true(log_limit_pass(&limit, 5999, &left_out));
        assert_int_equal(left_out, 0);
        left_out = 99;
        for (unsigned i = 0; i < 3; i++)
                assert_false(log_limit_pass(&limit, 5999, &left_out));
        assert_int_equal(left_out, 99);
        assert_true(log_limit_pass(&limit, 6000, &left_out));
        assert_int_equal(left_out, 3);
        assert_true(log_limit_pass(&limit, 6000, &left_out));
        assert_int_equal(left_out, 0);
        assert_false(log_limit_pass(&limit, 6999, &left_out));

        /* A long silence ends the interval too. */
        assert_true(log_limit_pass(&limit, UINT64_MAX, &left_out));
        assert_int_equal(left_out, 1);
}

static void test_log_limit_nothing(void **state)
{
        LogLimit limit = { .interval_usec = 1000, .burst = 0 };
        unsigned left_out;

        (void)state;
        for (uint64_t now = 0; now < 10000; now += 500)
                assert_false(log_limit_pass(&limit, now, &left_out));
        assert_int_equal(limit.n_left_out, 20);
}

/* Listens on loopback and connects there from a port that is told. False when there is no such
 * family. */
static bool connect_loopback(const char *ip, int family, int ret_fds[static 3], uint16_t *ret_port)
{
        struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
        struct sockaddr_in *in = (struct sockaddr_in *)&address;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
        socklen_t size = sizeof(address);

        assert_int_equal(inet_pton(family, ip,
                                   family == AF_INET ? (void *)&in->sin_addr : &in6->sin6_addr),
                         1);
        ret_fds[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ret_fds[0] < 0 || bind(ret_fds[0], (struct sockaddr *)&address, size) < 0) {
                close_fd(ret_fds[0]);
                return false;
        }
        assert_int_equal(listen(ret_fds[0], 1), 0);
        assert_int_equal(getsockname(ret_fds[0], (struct sockaddr *)&address, &size), 0);
        ret_fds[1] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(ret_fds[1], (struct sockaddr *)&address, size), 0);
        ret_fds[2] = accept4(ret_fds[0], NULL, NULL, SOCK_CLOEXEC);
        assert_true(ret_fds[2] >= 0);
        *ret_port = ntohs(in->sin_port);
        return true;
}

static void check_ends(const char *ip, int family)
{
        char text[ADDRESS_TEXT_MAX], expected[ADDRESS_TEXT_MAX];
        Address local, peer;
        uint16_t port;
        int fds[3];

        if (!connect_loopback(ip, family, fds, &port)) {
                print_message("no %s here\n", ip);
                return;
        }
        assert_true(address_peer(fds[1], &peer));
        address_format(&peer, text);
        snprintf(expected, sizeof(expected), "%s%s%s:%u", family == AF_INET6 ? "[" : "", ip,
                 family == AF_INET6 ? "]" : "", port);
        assert_string_equal(text, expected);
        assert_true(address_local(fds[2], &local));
        assert_true(IN6_ARE_ADDR_EQUAL(&local.ip, &peer.ip) && local.port == peer.port);
        for (size_t i = 0; i < 3; i++)
                close_fd(fds[i]);
}

static void test_ends(void **state)
{
        _cleanup_close_ int unconnected = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        Address address;

        check_ends("127.0.0.1", AF_INET);
        check_ends("::1", AF_INET6);
        assert_false(address_peer(-EBADF, &address));
        assert_false(address_peer(unconnected, &address));
        assert_false(address_local(other, &address));
}

static void test_cleanup(void **state)
{
        const size_t n_fds = count_fds();
        int other;

        (void)state;
        errno = 4711;
        assert_int_equal(close_fd(-1), -EBADF);
        {
                _cleanup_close_ int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

                assert_true(fd >= 0);
                other = take_fd(fd);
                assert_int_equal(fd, -EBADF);
        }
        assert_int_equal(count_fds(), n_fds + 1);
        errno = 4711;
        assert_int_equal(close_fd(other), -EBADF);
        assert_int_equal(close_fd(other), -EBADF);
        assert_int_equal(errno, 4711);
        assert_int_equal(count_fds(), n_fds);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_take),
                cmocka_unit_test(test_take_uint),
                cmocka_unit_test(test_equals),
                cmocka_unit_test(test_log_limit),
                cmocka_unit_test(test_log_limit_nothing),
                cmocka_unit_test(test_ends),
                cmocka_unit_test(test_cleanup),
        };

        return cmocka_run_group_tests_name("util", tests, NULL, NULL);
}
