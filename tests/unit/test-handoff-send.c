/* SPDX-License-Identifier: MIT */
/* Tests of the sending side: through a socket with a name, and all that sending may come to. */
#include "handoff-pair.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define QUEUE_MAX 100000

static char dir[64];

static int dir_setup(void **state)
{
        (void)state;
        snprintf(dir, sizeof(dir), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int dir_teardown(void **state)
{
        (void)state;
        return rmdir(dir);
}

static int receiver(const char *path)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int on = 1;
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        assert_true(strlen(path) < sizeof(address.sun_path));
        memcpy(address.sun_path, path, strlen(path));
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
        return fd;
}

static void in_dir(char ret[static 128], const char *name)
{
        assert_in_range(snprintf(ret, 128, "%s/%s", dir, name), 1, 127);
}

static const struct bellhop_handoff good = { .reason = BELLHOP_REASON_HOST,
                                             .protocol = BELLHOP_PROTOCOL_HTTP,
                                             .host = "alice.example" };

static void test_connect(void **state)
{
        char path[128];
        const size_t n_fds = count_fds();
        int to, from;

        (void)state;
        in_dir(path, "a.handoff");
        assert_int_equal(bellhop_connect(path), -ENOENT);
        from = receiver(path);
        to = bellhop_connect(path);
        assert_true(to >= 0);
        assert_int_equal(fcntl(to, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(to, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
        close_fd(from);
        close_fd(to);
        assert_int_equal(bellhop_connect(path), -ECONNREFUSED);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(bellhop_connect(dir), -ECONNREFUSED);
        assert_true(bellhop_connect("") < 0);
        assert_int_equal(count_fds(), n_fds);
}

static void test_connect_long_path(void **state)
{
        char path[128];
        int from, to;

        (void)state;
        in_dir(path, "");
        memset(path + strlen(dir) + 1, 'a', sizeof(path) - strlen(dir) - 1);
        path[108] = 0;
        assert_int_equal(bellhop_connect(path), -ENAMETOOLONG);
        path[107] = 0;
        assert_int_equal(bellhop_connect(path), -ENOENT);
        from = receiver(path);
        to = bellhop_connect(path);
        assert_true(to >= 0);
        close_fd(to);
        close_fd(from);
        assert_int_equal(unlink(path), 0);
}

/* A stream socket at the path is not a hand-off socket. */
static void test_connect_other_type(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        (void)state;
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(bellhop_connect(address.sun_path), -EPROTOTYPE);
        assert_int_equal(unlink(address.sun_path), 0);
}

/* The receiver has no channel back, not even when it knows where to. */
static void test_one_way(void **state)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        char path[128];
        int from, to;

        (void)state;
        in_dir(path, "a.handoff");
        from = receiver(path);
        to = bellhop_connect(path);
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/back", dir);
        assert_int_equal(bind(to, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(sendto(from, "x", 1, MSG_DONTWAIT | MSG_NOSIGNAL,
                                (struct sockaddr *)&address, sizeof(address)),
                         -1);
        assert_int_equal(errno, EPIPE);
        close_fd(from);
        close_fd(to);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(unlink(address.sun_path), 0);
}

/* By name, with a full queue, room again, and nobody at the other end. */
static void test_full_and_gone(void **state)
{
        struct bellhop_handoff handoff;
        char path[128];
        int from, to, tcp[2], fd, r, n = 0;
        const size_t n_fds = count_fds();

        (void)state;
        tcp_pair(tcp);
        in_dir(path, "a.handoff");
        from = receiver(path);
        to = bellhop_connect(path);
        while ((r = bellhop_send(to, &good, tcp[1])) == 0)
                assert_true(++n < QUEUE_MAX);
        assert_int_equal(r, BELLHOP_SEND_FULL);
        assert_true(n > 0);
        assert_int_equal(bellhop_receive(from, geteuid(), &handoff, &fd), 0);
        close_fd(fd);
        assert_int_equal(bellhop_send(to, &good, tcp[1]), 0);
        assert_int_equal(bellhop_send(to, &good, tcp[1]), BELLHOP_SEND_FULL);

        /* A socket without its name still takes; without an owner it does not. */
        assert_int_equal(unlink(path), 0);
        while (bellhop_receive(from, geteuid(), &handoff, &fd) == 0)
                close_fd(fd);
        assert_int_equal(bellhop_send(to, &good, tcp[1]), 0);
        close_fd(from);
        assert_int_equal(bellhop_send(to, &good, tcp[1]), BELLHOP_SEND_GONE);
        assert_int_equal(bellhop_send(to, &good, tcp[1]), BELLHOP_SEND_GONE);
        close_fd(to);
        close_fd(tcp[0]);
        close_fd(tcp[1]);
        assert_int_equal(count_fds(), n_fds);
}

static void test_gone_otherwise(void **state)
{
        int pair[2], alone = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), tcp[2];

        (void)state;
        tcp_pair(tcp);
        handoff_pair(pair);
        assert_int_equal(bellhop_send(alone, &good, tcp[1]), BELLHOP_SEND_GONE);
        assert_int_equal(shutdown(pair[1], SHUT_RD), 0);
        assert_int_equal(bellhop_send(pair[0], &good, tcp[1]), BELLHOP_SEND_GONE);
        assert_int_equal(shutdown(pair[0], SHUT_WR), 0);
        assert_int_equal(bellhop_send(pair[0], &good, tcp[1]), BELLHOP_SEND_GONE);
        close_fd(alone);
        for (size_t i = 0; i < 2; i++) {
                close_fd(pair[i]);
                close_fd(tcp[i]);
        }
}

static void test_arguments(void **state)
{
        struct bellhop_handoff handoff = { .reason = BELLHOP_REASON_ADDRESS };
        char bytes[512];
        int pair[2], tcp[2], n = 0;

        (void)state;
        tcp_pair(tcp);
        handoff_pair(pair);
        for (int reason = -1; reason <= 257; reason++) {
                handoff.reason = (enum bellhop_reason)reason;
                assert_int_equal(bellhop_send(pair[0], &handoff, tcp[1]),
                                 reason >= 1 && reason <= 4 ? 0 : -EINVAL);
        }
        handoff.reason = BELLHOP_REASON_DEFAULT;
        for (int protocol = -1; protocol <= 257; protocol++) {
                handoff.protocol = (enum bellhop_protocol)protocol;
                assert_int_equal(bellhop_send(pair[0], &handoff, tcp[1]),
                                 protocol >= 0 && protocol <= 2 ? 0 : -EINVAL);
        }
        while (recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT) == 16)
                n++;
        assert_int_equal(n, 4 + 3);

        handoff = good;
        assert_int_equal(bellhop_send(pair[0], &handoff, -1), -EBADF);
        assert_int_equal(bellhop_send(-1, &handoff, tcp[1]), -EBADF);
        memset(handoff.host, 'a', sizeof(handoff.host));
        assert_int_equal(bellhop_send(pair[0], &handoff, tcp[1]), -EINVAL);
        handoff.host[BELLHOP_HOST_MAX] = 0;
        assert_int_equal(bellhop_send(pair[0], &handoff, tcp[1]), 0);
        assert_int_equal(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT), 16 + 253);
        assert_int_equal((uint8_t)bytes[7], 253);
        assert_int_equal(recv(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT), -1);
        for (size_t i = 0; i < 2; i++) {
                close_fd(pair[i]);
                close_fd(tcp[i]);
        }
}

/* valgrind keeps the limit to itself, and so the kernel knows nothing of it. */
static bool kernel_knows_limit(unsigned long limit)
{
        _cleanup_fclose_ FILE *f = fopen("/proc/self/limits", "re");
        unsigned long soft = 0;
        char line[256];

        while (f && fgets(line, sizeof(line), f))
                if (sscanf(line, "Max open files %lu", &soft) == 1)
                        break;
        return soft == limit;
}

/* 0: as it must be. Without privileges, as what holds them has no such limit. */
static int send_until_in_flight(void)
{
        const struct rlimit limit = { .rlim_cur = 8, .rlim_max = 8 };
        int pair[2], tcp[2], n = 0, r;

        tcp_pair(tcp);
        handoff_pair(pair);
        if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
                return 1;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        while ((r = bellhop_send(pair[0], &good, tcp[1])) == 0 && n < QUEUE_MAX)
                n++;
        if (r == BELLHOP_SEND_IN_FLIGHT)
                return n <= 9 ? 0 : 2;
        return r == BELLHOP_SEND_FULL ? 3 : 4;
}

static void test_in_flight(void **state)
{
        int status;
        pid_t pid = fork();

        (void)state;
        assert_true(pid >= 0);
        if (pid == 0) {
                int r = send_until_in_flight();

                _exit(r == 0 || kernel_knows_limit(8) ? r : 77);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
                skip_test("as this kernel has no such limit");
        assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_connect),
                TEST(test_connect_long_path),
                TEST(test_connect_other_type),
                TEST(test_one_way),
                TEST(test_full_and_gone),
                cmocka_unit_test(test_gone_otherwise),
                cmocka_unit_test(test_arguments),
                cmocka_unit_test(test_in_flight),
        };

        return cmocka_run_group_tests_name("handoff-send", tests, NULL, NULL);
}
