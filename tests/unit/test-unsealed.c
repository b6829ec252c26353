/* SPDX-License-Identifier: MIT */
/*
 * No connection without a seal is ever handed off: neither one that waited in a listening socket
 * before that was sealed, nor one that bellhop-seal or a former router has accepted. Sealing is
 * ours here, so that it fails on any kernel and for anybody.
 */
#include "config-dir.h"
#include "handoff-pair.h"

#include <sys/un.h>

#include "router/router.h"
#include "seal/seal.h"

#define INSTANCE "alice"
#define REQUEST  "GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n"

static int connection_result, listener_result;
static unsigned n_checks;

/* By the linker's --wrap. */
int __wrap_seal_connection(int fd);
int __wrap_seal_listener(int fd);

int __wrap_seal_connection(int fd)
{
        n_checks++;
        return connection_result;
}

int __wrap_seal_listener(int fd)
{
        return listener_result;
}

static Router router;
static int handoff_fd, client;
static struct sockaddr_in address;

static int listen_at_handoff_socket(void)
{
        struct sockaddr_un handoff = { .sun_family = AF_UNIX };
        char path[DIR_MAX * 2];
        const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        in_dir(path, INSTANCE ".handoff");
        assert_true(strlen(path) < sizeof(handoff.sun_path));
        memcpy(handoff.sun_path, path, strlen(path) + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&handoff, sizeof(handoff)), 0);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)), 0);
        return fd;
}

static int connect_client(void)
{
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(send(fd, S(REQUEST), 0), strlen(REQUEST));
        return fd;
}

static int set_up_router(void **state)
{
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        socklen_t size = sizeof(address);

        assert_int_equal(dir_setup(state), 0);
        connection_result = -EPERM;
        listener_result = 0;
        n_checks = 0;
        put("instances/" INSTANCE ".conf", "[Instance]\nHost=alice.example\n");
        handoff_fd = listen_at_handoff_socket();
        address = (struct sockaddr_in){ .sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(fd, 16), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
        assert_int_equal(router_init(&router, dir, dir, dir), 0);
        assert_int_equal(router_add_listener_consume(&router, fd), 0);
        client = connect_client();
        return 0;
}

static int tear_down_router(void **state)
{
        close_fd(client);
        close_fd(handoff_fd);
        router_done(&router);
        return dir_teardown(state);
}

static bool was_handed_off(void)
{
        char bytes[512];

        return recv(handoff_fd, bytes, sizeof(bytes), 0) > 0;
}

static void assert_refused(void)
{
        char reply[16];

        assert_false(was_handed_off());
        assert_int_equal(recv(client, reply, 12, 0), 12);
        assert_memory_equal(reply, "HTTP/1.1 503", 12);
        assert_int_equal(router.metrics.refused[REFUSE_OVERLOAD], 1);
}

/* As router_run(), until something was accepted. */
static void accept_next(void)
{
        const uint64_t n = router.metrics.accepted;

        if (!router.listeners[0].io)
                assert_true(listener_start(&router.listeners[0], router.event) >= 0);
        while (router.metrics.accepted == n)
                assert_true(sd_event_run(router.event, UINT64_MAX) > 0);
}

static void test_waited_in_the_listening_socket(void **state)
{
        router_seal(&router);
        accept_next();
        assert_refused();
        /* One that comes later is born with it, and is not looked at. */
        router.listeners[0].sealed_usec = 1;
        router.listeners[0].n_unsure = 0;
        n_checks = 0;
        close_fd(client);
        client = connect_client();
        accept_next();
        assert_true(was_handed_off());
        assert_int_equal(n_checks, 0);
}

static int accept_by_hand(void)
{
        int fd;

        do
                fd = accept4(router.listeners[0].fd, NULL, NULL, SOCK_CLOEXEC);
        while (fd < 0 && errno == EAGAIN);
        assert_true(fd >= 0);
        return fd;
}

/* From bellhop-seal, or from systemd's descriptor store. */
static void test_accepted_before(void **state)
{
        const StoredConn past = { .accepted_nsec = 1 };

        router_seal(&router);
        conn_resume_consume(&router, accept_by_hand(), &past);
        assert_refused();
}

/* What can be sealed is handed off. */
static void test_sealed_by_the_router(void **state)
{
        const StoredConn past = { .accepted_nsec = 1 };

        connection_result = 0;
        router_seal(&router);
        conn_resume_consume(&router, accept_by_hand(), &past);
        assert_true(was_handed_off());
        assert_int_equal(n_checks, 1);
}

/* Where listening sockets can't be sealed, which is in the log, all are served all the same. */
static void test_without_seals(void **state)
{
        listener_result = -EPERM;
        router_seal(&router);
        accept_next();
        assert_true(was_handed_off());
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up_router, tear_down_router)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_waited_in_the_listening_socket),
                TEST(test_accepted_before),
                TEST(test_sealed_by_the_router),
                TEST(test_without_seals),
        };

        return cmocka_run_group_tests_name("unsealed", tests, NULL, NULL);
}
