/* SPDX-License-Identifier: MIT */
/* Tests of sockets that a service inherits: found by name and kind, each once, the rest closed. */
#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "util/inherit.h"

#define N_PASSED 5

/* Puts sockets where systemd would: two that listen, a datagram socket, a pipe, another name. */
static void pass_sockets(void)
{
        static const char names[] = "public:public:handoff:public:other";
        char pid[32], n[8];
        int fds[N_PASSED], ends[2];

        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        fds[0] = socket(AF_INET, SOCK_STREAM, 0);
        fds[1] = socket(AF_INET, SOCK_STREAM, 0);
        fds[2] = socket(AF_UNIX, SOCK_DGRAM, 0);
        fds[3] = ends[0];
        fds[4] = socket(AF_UNIX, SOCK_DGRAM, 0);
        close_fd(ends[1]);
        for (int i = 0; i < N_PASSED; i++) {
                const int high = fcntl(fds[i], F_DUPFD, 100);

                assert_true(high >= 100);
                close_fd(fds[i]);
                fds[i] = high;
        }
        for (int i = 0; i < N_PASSED; i++) {
                assert_int_equal(dup2(fds[i], SD_LISTEN_FDS_START + i), SD_LISTEN_FDS_START + i);
                close_fd(fds[i]);
        }
        for (int i = 0; i < 2; i++)
                assert_int_equal(listen(SD_LISTEN_FDS_START + i, 1), 0);
        snprintf(pid, sizeof(pid), "%d", (int)getpid());
        snprintf(n, sizeof(n), "%d", N_PASSED);
        setenv("LISTEN_PID", pid, 1);
        setenv("LISTEN_FDS", n, 1);
        setenv("LISTEN_FDNAMES", names, 1);
}

static void test_take(void **state)
{
        const size_t before = count_fds();
        Inherited inherited;

        (void)state;
        pass_sockets();
        assert_int_equal(inherit_init(&inherited), 0);
        assert_null(getenv("LISTEN_FDS"));
        assert_int_equal(inherited.n, N_PASSED);
        for (int fd = SD_LISTEN_FDS_START; fd < SD_LISTEN_FDS_START + N_PASSED; fd++)
                assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);

        /* By name and kind: no pipe, no datagram socket, nothing twice. */
        assert_int_equal(inherit_take(&inherited, "public", AF_INET6, SOCK_STREAM, 1), -ENOENT);
        assert_int_equal(inherit_take(&inherited, "public", AF_INET, SOCK_STREAM, 0), -ENOENT);
        assert_int_equal(inherit_take(&inherited, "handoff", AF_UNIX, SOCK_STREAM, -1), -ENOENT);
        assert_int_equal(inherit_take(&inherited, "none", AF_UNSPEC, 0, -1), -ENOENT);
        for (int i = 0; i < 2; i++)
                assert_int_equal(inherit_take(&inherited, "public", AF_INET, SOCK_STREAM, 1),
                                 SD_LISTEN_FDS_START + i);
        assert_int_equal(inherit_take(&inherited, "public", AF_UNSPEC, SOCK_STREAM, -1), -ENOENT);
        /* The pipe, where any kind will do. */
        assert_int_equal(inherit_take(&inherited, "public", AF_UNSPEC, 0, -1),
                         SD_LISTEN_FDS_START + 3);
        close_fd(SD_LISTEN_FDS_START + 3);
        assert_int_equal(inherit_take(&inherited, "public", AF_UNSPEC, 0, -1), -ENOENT);
        assert_int_equal(inherit_take(&inherited, "handoff", AF_UNIX, SOCK_DGRAM, -1),
                         SD_LISTEN_FDS_START + 2);

        /* What nobody took is still there to be reported, and then closed. */
        assert_null(inherited.names[0]);
        assert_string_equal(inherited.names[4], "other");
        inherit_done(&inherited);
        assert_int_equal(inherited.n, 0);
        assert_int_equal(count_fds(), before + 3);
        for (int i = 0; i < 3; i++)
                close_fd(SD_LISTEN_FDS_START + i);
}

static void test_nothing(void **state)
{
        Inherited inherited;

        (void)state;
        unsetenv("LISTEN_PID");
        unsetenv("LISTEN_FDS");
        assert_int_equal(inherit_init(&inherited), 0);
        assert_int_equal(inherited.n, 0);
        assert_int_equal(inherit_take(&inherited, "public", AF_UNSPEC, 0, -1), -ENOENT);
        inherit_done(&inherited);
}

/* Variables for another process are ignored. */
static void test_other_process(void **state)
{
        const size_t before = count_fds();
        Inherited inherited;

        (void)state;
        setenv("LISTEN_PID", "1", 1);
        setenv("LISTEN_FDS", "3", 1);
        assert_int_equal(inherit_init(&inherited), 0);
        assert_int_equal(inherited.n, 0);
        inherit_done(&inherited);
        assert_int_equal(count_fds(), before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_take),
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_other_process),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
