/* SPDX-License-Identifier: MIT */
/* What a process can and can't do behind its fence; ./check isolation tries to get out. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "unit.h"

#include "fence/fence.h"

static int connect_tcp(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        _cleanup_close_ int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        _cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        /* listen(2) takes a port of itself. */
        if (listen(server, 1) < 0 || getsockname(server, (struct sockaddr *)&address, &size) < 0)
                return ENOTRECOVERABLE;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return connect(client, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

static int bind_tcp(void)
{
        const struct sockaddr_in address = { .sin_family = AF_INET };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? errno : 0;
}

static int fast_open(void)
{
        const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(1) };
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, (const struct sockaddr *)&address,
                   sizeof(address)) < 0)
                return errno == ECONNREFUSED ? 0 : errno;
        return 0;
}

static int set_tcp(int level, int option, int value)
{
        _cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? errno : 0;
}

static int fast_open_connect(void)
{
        return set_tcp(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
}

static int no_delay(void)
{
        return set_tcp(IPPROTO_TCP, TCP_NODELAY, 1);
}

/* The same number as TCP_FASTOPEN_CONNECT, at another level. */
static int other_level(void)
{
        return set_tcp(SOL_SOCKET, SO_ACCEPTCONN, 1) == ENOPROTOOPT ? 0 : ENOTRECOVERABLE;
}

/* Two sockets on one port. */
static int share_port(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t size = sizeof(address);
        int fds[2], error = 0;

        for (int i = 0; i < 2; i++) {
                fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
                if (setsockopt(fds[i], SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) < 0)
                        return ENOTRECOVERABLE;
                if (bind(fds[i], (const struct sockaddr *)&address, size) < 0)
                        error = errno;
                (void)getsockname(fds[0], (struct sockaddr *)&address, &size);
        }
        close_fd(fds[0]);
        close_fd(fds[1]);
        return error;
}

static int talk_over_unix(void)
{
        int pair[2];
        char byte = 0;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ||
            send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 || recv(pair[1], &byte, 1, 0) != 1)
                return errno;
        close_fd(pair[0]);
        close_fd(pair[1]);
        return byte == 'x' ? 0 : ENOTRECOVERABLE;
}

static int shut_for(int how)
{
        int pair[2];
        int error;

        if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
                return ENOTRECOVERABLE;
        error = shutdown(pair[0], how) < 0 ? errno : 0;
        close_fd(pair[0]);
        close_fd(pair[1]);
        return error;
}

static int shut_for_reading(void)
{
        return shut_for(SHUT_RD);
}

static int shut_otherwise(void)
{
        return shut_for(SHUT_WR) == 0 ? shut_for(SHUT_RDWR) : ENOTRECOVERABLE;
}

static int abstract_server = -EBADF;

static int connect_abstract(void)
{
        struct sockaddr_un address;
        socklen_t size = sizeof(address);
        _cleanup_close_ int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (getsockname(abstract_server, (struct sockaddr *)&address, &size) < 0)
                return ENOTRECOVERABLE;
        return connect(client, (struct sockaddr *)&address, size) < 0 ? errno : 0;
}

/* The fence is for life, so each thing is tried in a process of its own. */
static int behind(unsigned parts, int (*what)(void))
{
        const pid_t child = fork();
        int status = 0;

        assert_true(child >= 0);
        if (child == 0)
                _exit(fence_raise(parts) < 0 ? 255 : what());
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static int landlocked(FencePart part, int error)
{
        return fence_offered() & part ? error : 0;
}

static void test_without_network(void **state)
{
        const unsigned parts = fence_wanted(FENCE_NOWHERE);

        assert_int_equal(behind(0, connect_tcp), 0);
        assert_int_equal(behind(0, bind_tcp), 0);
        assert_int_equal(behind(0, fast_open_connect), 0);
        assert_int_equal(behind(parts, connect_tcp), landlocked(FENCE_TCP, EACCES));
        assert_int_equal(behind(parts, bind_tcp), landlocked(FENCE_TCP, EACCES));
        assert_int_equal(behind(parts, fast_open), EPERM);
        assert_int_equal(behind(parts, fast_open_connect), EPERM);
}

static void test_what_is_left_alone(void **state)
{
        const unsigned parts = fence_wanted(FENCE_NOWHERE);

        assert_int_equal(behind(parts, no_delay), 0);
        assert_int_equal(behind(parts, other_level), 0);
        assert_int_equal(behind(parts, talk_over_unix), 0);
        assert_int_equal(behind(fence_wanted(FENCE_EVERYWHERE), connect_tcp), 0);
        assert_int_equal(behind(fence_wanted(FENCE_EVERYWHERE), talk_over_unix), 0);
}

static void test_internet(void **state)
{
        const unsigned parts = fence_wanted(FENCE_INTERNET);

        assert_int_equal(behind(parts, connect_tcp), 0);
        assert_int_equal(behind(parts, bind_tcp), landlocked(FENCE_PORT, EACCES));
        assert_int_equal(behind(parts, fast_open), EPERM);
        assert_int_equal(behind(parts, fast_open_connect), EPERM);
        assert_int_equal(behind(0, share_port), 0);
        assert_int_equal(behind(parts, share_port), EADDRINUSE);
        assert_int_equal(behind(parts, talk_over_unix), 0);
        assert_true(parts & FENCE_ABSTRACT);
}

static void test_shut_for_reading(void **state)
{
        assert_int_equal(behind(0, shut_for_reading), 0);
        for (FenceReach reach = FENCE_NOWHERE; reach <= FENCE_EVERYWHERE; reach++) {
                assert_int_equal(behind(fence_wanted(reach), shut_for_reading), EPERM);
                assert_int_equal(behind(fence_wanted(reach), shut_otherwise), 0);
        }
}

static void test_abstract_sockets(void **state)
{
        const struct sockaddr_un any = { .sun_family = AF_UNIX };

        abstract_server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* Without a name the kernel makes up an abstract one. */
        assert_int_equal(bind(abstract_server, (const struct sockaddr *)&any,
                              sizeof(any.sun_family)),
                         0);
        assert_int_equal(listen(abstract_server, 16), 0);
        assert_int_equal(behind(0, connect_abstract), 0);
        assert_int_equal(behind(fence_wanted(FENCE_EVERYWHERE), connect_abstract),
                         landlocked(FENCE_ABSTRACT, EPERM));
        abstract_server = close_fd(abstract_server);
}

static void test_each_part_that_may_lack_has_words(void **state)
{
        assert_non_null(fence_gap(FENCE_TCP));
        assert_non_null(fence_gap(FENCE_ABSTRACT));
        assert_non_null(fence_gap(FENCE_PORT));
        assert_true(fence_offered() & FENCE_FAST_OPEN);
        assert_null(fence_gap(FENCE_FAST_OPEN));
        assert_true(fence_offered() & FENCE_SHUT);
        assert_null(fence_gap(FENCE_SHUT));
        assert_true(fence_offered() & FENCE_REUSE);
        assert_null(fence_gap(FENCE_REUSE));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_without_network),
                cmocka_unit_test(test_what_is_left_alone),
                cmocka_unit_test(test_internet),
                cmocka_unit_test(test_shut_for_reading),
                cmocka_unit_test(test_abstract_sockets),
                cmocka_unit_test(test_each_part_that_may_lack_has_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
