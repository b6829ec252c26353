/* SPDX-License-Identifier: MIT */
/* Tests of the receiving side: what is taken, and that all else is refused and leaves nothing
 * behind. */
#include "handoff-pair.h"

#include <linux/netlink.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define HOST "alice.example"

/* The same for all tests: nothing of it may be changed by a refused message. */
typedef struct World {
        int pair[2];
        int tcp[2];
        size_t n_fds;
} World;

static int world_setup(void **state)
{
        static World world;

        handoff_pair(world.pair);
        tcp_pair(world.tcp);
        world.n_fds = count_fds();
        *state = &world;
        return 0;
}

static int world_teardown(void **state)
{
        World *world = *state;

        assert_int_equal(count_fds(), world->n_fds);
        for (size_t i = 0; i < 2; i++) {
                close_fd(world->pair[i]);
                close_fd(world->tcp[i]);
        }
        return 0;
}

static void expect_refusal(const World *world, const char *label, uid_t uid, int expected)
{
        struct bellhop_handoff handoff = { .host = "untouched" };
        int fd = 4711, r = bellhop_receive(world->pair[1], uid, &handoff, &fd);

        if (r != expected)
                fail_msg("%s: %d, not %d", label, r, expected);
        assert_int_equal(fd, 4711);
        assert_string_equal(handoff.host, "untouched");
        if (count_fds() != world->n_fds)
                fail_msg("%s: %zu descriptors, not %zu", label, count_fds(), world->n_fds);
        assert_int_equal(bellhop_receive(world->pair[1], uid, &handoff, &fd),
                         BELLHOP_RECEIVE_EMPTY);
}

/* A good header and host, changed by the caller before they are sent. */
typedef struct Datagram {
        struct bellhop_header header;
        char host[4096];
} Datagram;

static Datagram good_datagram(void)
{
        Datagram datagram = { .header = good_header(strlen(HOST)), .host = HOST };

        return datagram;
}

#define GOOD_SIZE (sizeof(struct bellhop_header) + strlen(HOST))

static void test_wire_format(void **state)
{
        static const uint8_t wire[] = { 'B', 'H', 'O', 'P', 1, 3, 2, 1 };
        const struct bellhop_handoff handoff = { .reason = BELLHOP_REASON_HOST,
                                                 .protocol = BELLHOP_PROTOCOL_HTTP,
                                                 .accepted_nsec = 0x0102030405060708,
                                                 .host = "a" };
        const World *world = *state;
        uint8_t bytes[64];

        assert_int_equal(sizeof(struct bellhop_header), 16);
        assert_int_equal(bellhop_send(world->pair[0], &handoff, world->tcp[1]), 0);
        assert_int_equal(recv(world->pair[1], bytes, sizeof(bytes), 0), 17);
        assert_memory_equal(bytes, wire, sizeof(wire));
        assert_memory_equal(bytes + 8, &handoff.accepted_nsec, 8);
        assert_int_equal(bytes[16], 'a');
}

static void check_taken(const World *world, const struct bellhop_handoff *sent)
{
        struct bellhop_handoff handoff;
        _cleanup_close_ int fd = -EBADF;
        char bytes[16];

        assert_int_equal(bellhop_receive(world->pair[1], geteuid(), &handoff, &fd), 0);
        assert_int_equal(handoff.reason, sent->reason);
        assert_int_equal(handoff.protocol, sent->protocol);
        assert_true(handoff.accepted_nsec == sent->accepted_nsec);
        assert_string_equal(handoff.host, sent->host);

        assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
        assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK,
                         fcntl(world->tcp[1], F_GETFL) & O_NONBLOCK);
        assert_int_equal(send(world->tcp[0], "hello", 5, 0), 5);
        assert_int_equal(recv(fd, bytes, sizeof(bytes), 0), 5);
        assert_int_equal(send(fd, "bye", 3, 0), 3);
        assert_int_equal(recv(world->tcp[0], bytes, sizeof(bytes), 0), 3);
        assert_int_equal(count_fds(), world->n_fds + 1);
}

static void test_taken(void **state)
{
        const World *world = *state;

        for (int reason = BELLHOP_REASON_ADDRESS; reason <= BELLHOP_REASON_DEFAULT; reason++)
                for (int protocol = 0; protocol <= BELLHOP_PROTOCOL_HTTP; protocol++)
                        for (size_t length = 0; length <= BELLHOP_HOST_MAX; length += 23) {
                                struct bellhop_handoff handoff = {
                                        .reason = (enum bellhop_reason)reason,
                                        .protocol = (enum bellhop_protocol)protocol,
                                        .accepted_nsec = UINT64_MAX - length,
                                };

                                memset(handoff.host, 'a', length);
                                assert_int_equal(bellhop_send(world->pair[0], &handoff,
                                                              world->tcp[1]),
                                                 0);
                                check_taken(world, &handoff);
                        }
}

/* O_NONBLOCK belongs to the connection: it is as the sender left it. */
static void test_flags_untouched(void **state)
{
        const struct bellhop_handoff handoff = { .reason = BELLHOP_REASON_ADDRESS };
        const World *world = *state;

        for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
                assert_int_equal(fcntl(world->tcp[1], F_SETFL, flags), 0);
                assert_int_equal(bellhop_send(world->pair[0], &handoff, world->tcp[1]), 0);
                check_taken(world, &handoff);
        }
}

static void test_empty(void **state)
{
        const World *world = *state;
        struct bellhop_handoff handoff;
        int fd;

        expect_refusal(world, "empty", geteuid(), BELLHOP_RECEIVE_EMPTY);
        assert_int_equal(bellhop_receive(-1, geteuid(), &handoff, &fd), -EBADF);
        assert_int_equal(bellhop_receive(STDIN_FILENO, geteuid(), &handoff, &fd) < 0, true);
}

static void test_foreign(void **state)
{
        const World *world = *state;
        const Datagram datagram = good_datagram();
        const int off = 0;

        send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
        expect_refusal(world, "another uid", geteuid() + 1, BELLHOP_RECEIVE_FOREIGN);
        send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
        expect_refusal(world, "uid -1", (uid_t)-1, BELLHOP_RECEIVE_FOREIGN);

        setsockopt(world->pair[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
        send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
        expect_refusal(world, "no credentials", geteuid(), BELLHOP_RECEIVE_FOREIGN);
        expect_refusal(world, "none left", geteuid(), BELLHOP_RECEIVE_EMPTY);
}

/* What waited already when credentials were asked for was sent by nobody, as whom the kernel shows
 * it. */
static void test_credentials_too_late(void **state)
{
        const World *world = *state;
        const Datagram datagram = good_datagram();
        const int off = 0, on = 1;

        if (geteuid() == 65534)
                skip_test("as this is that user");
        setsockopt(world->pair[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off));
        send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
        setsockopt(world->pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
        expect_refusal(world, "too late", geteuid(), BELLHOP_RECEIVE_FOREIGN);
}

/* Really another user, who is told apart by the kernel and by nothing else. */
static void test_foreign_sender(void **state)
{
        const World *world = *state;
        const Datagram datagram = good_datagram();
        int status;
        pid_t pid;

        if (geteuid() != 0)
                skip_test("as only root becomes others");
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (setresuid(65534, 65534, 65534) < 0)
                        _exit(1);
                send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        expect_refusal(world, "nobody", 0, BELLHOP_RECEIVE_FOREIGN);
}

static void test_invalid_bytes(void **state)
{
        static const struct {
                size_t offset;
                uint8_t value;
        } changes[] = {
                { 0, 'b' }, { 1, 'h' }, { 2, 0 },   { 3, 'Q' }, { 3, 0 },  { 4, 0 },   { 4, 2 },
                { 4, 255 }, { 5, 0 },   { 5, 5 },   { 5, 255 }, { 6, 3 },  { 6, 255 }, { 7, 0 },
                { 7, 12 },  { 7, 14 },  { 7, 254 }, { 7, 255 }, { 16, 0 }, { 20, 0 },  { 28, 0 },
        };
        const World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(changes); i++) {
                Datagram datagram = good_datagram();
                char label[32];

                snprintf(label, sizeof(label), "byte %zu: %u", changes[i].offset, changes[i].value);
                ((uint8_t *)&datagram)[changes[i].offset] = changes[i].value;
                send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
                expect_refusal(world, label, geteuid(), BELLHOP_RECEIVE_INVALID);
        }
}

static void test_invalid_sizes(void **state)
{
        const World *world = *state;

        for (size_t size = 0; size < 400; size++) {
                const Datagram datagram = good_datagram();
                char label[32];

                if (size == GOOD_SIZE)
                        continue;
                snprintf(label, sizeof(label), "%zu bytes", size);
                send_raw(world->pair[0], &datagram, size, &world->tcp[1], 1);
                expect_refusal(world, label, geteuid(), BELLHOP_RECEIVE_INVALID);
        }
}

/* The header tells of a host as long as what is left of a longer datagram after it was cut. */
static void test_truncated(void **state)
{
        static const size_t sizes[] = { 16 + 254, 16 + 255, 16 + 256, 1024, sizeof(Datagram) };
        const World *world = *state;

        for (size_t i = 0; i < ELEMENTSOF(sizes); i++)
                for (unsigned length = 250; length <= 255; length++) {
                        Datagram datagram = { .header = good_header(length) };

                        memset(datagram.host, 'a', sizeof(datagram.host));
                        send_raw(world->pair[0], &datagram, sizes[i], &world->tcp[1], 1);
                        expect_refusal(world, "truncated", geteuid(), BELLHOP_RECEIVE_INVALID);
                }
}

static void test_number_of_descriptors(void **state)
{
        static const size_t numbers[] = { 0, 2, 3, SCM_FDS_MAX };
        const World *world = *state;
        const Datagram datagram = good_datagram();
        int fds[SCM_FDS_MAX];

        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                fds[i] = world->tcp[1];
        for (size_t i = 0; i < ELEMENTSOF(numbers); i++) {
                send_raw(world->pair[0], &datagram, GOOD_SIZE, fds, numbers[i]);
                expect_refusal(world, "number", geteuid(), BELLHOP_RECEIVE_SOCKET);
                send_raw(world->pair[0], &datagram, GOOD_SIZE, fds, numbers[i]);
                expect_refusal(world, "foreign", geteuid() + 1, BELLHOP_RECEIVE_FOREIGN);
                send_raw(world->pair[0], &datagram, 5, fds, numbers[i]);
                expect_refusal(world, "short", geteuid(), BELLHOP_RECEIVE_INVALID);
        }
}

static int new_socket(int family, int type, bool listening)
{
        int fd = socket(family, type | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0 || family == AF_INET6);
        if (listening)
                assert_int_equal(listen(fd, 1), 0);
        return fd;
}

static void test_kinds_of_descriptors(void **state)
{
        World *world = *state;
        const Datagram datagram = good_datagram();
        int fds[12], dgram[2], stream[2], pipes[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, dgram), 0);
        assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
        fds[0] = stream[0];
        fds[1] = dgram[0];
        fds[2] = pipes[0];
        fds[3] = pipes[1];
        fds[4] = new_socket(AF_INET, SOCK_DGRAM, false);
        fds[5] = new_socket(AF_INET6, SOCK_DGRAM, false);
        fds[6] = new_socket(AF_INET, SOCK_STREAM, true);
        fds[7] = new_socket(AF_INET6, SOCK_STREAM, true);
        fds[8] = open("/dev/null", O_RDWR | O_CLOEXEC);
        fds[9] = new_socket(AF_UNIX, SOCK_SEQPACKET, false);
        /* Not in every kernel. */
        fds[10] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
        /* Has the number of TCP for a protocol of its own. */
        fds[11] = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM);
        world->n_fds = count_fds();
        for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
                char label[32];

                if (fds[i] < 0)
                        continue;
                snprintf(label, sizeof(label), "descriptor %zu", i);
                send_raw(world->pair[0], &datagram, GOOD_SIZE, &fds[i], 1);
                expect_refusal(world, label, geteuid(), BELLHOP_RECEIVE_SOCKET);
        }
        for (size_t i = 0; i < ELEMENTSOF(fds); i++)
                close_fd(fds[i]);
        close_fd(stream[1]);
        close_fd(dgram[1]);
        world->n_fds = count_fds();
}

static void test_ipv6(void **state)
{
        World *world = *state;
        const Datagram datagram = good_datagram();
        struct sockaddr_in6 address = { .sin6_family = AF_INET6,
                                        .sin6_addr = IN6ADDR_LOOPBACK_INIT };
        socklen_t size = sizeof(address);
        struct bellhop_handoff handoff;
        int listener = new_socket(AF_INET6, SOCK_STREAM, false), client, fd;

        if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0) {
                close_fd(listener);
                skip_test("as there is no such address");
        }
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        client = new_socket(AF_INET6, SOCK_STREAM, false);
        assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
        send_raw(world->pair[0], &datagram, GOOD_SIZE, &client, 1);
        assert_int_equal(bellhop_receive(world->pair[1], geteuid(), &handoff, &fd), 0);
        assert_string_equal(handoff.host, HOST);
        close_fd(fd);
        close_fd(client);
        close_fd(listener);
}

/* The client has gone already: still a connection, as accept(2) would give it. */
static void test_reset_connection(void **state)
{
        const World *world = *state;
        const struct bellhop_handoff sent = { .reason = BELLHOP_REASON_ADDRESS };
        const struct linger linger = { .l_onoff = 1, .l_linger = 0 };
        struct bellhop_handoff handoff;
        int tcp[2], fd;

        tcp_pair(tcp);
        assert_int_equal(setsockopt(tcp[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
        assert_int_equal(bellhop_send(world->pair[0], &sent, tcp[1]), 0);
        close_fd(tcp[0]);
        close_fd(tcp[1]);
        assert_int_equal(bellhop_receive(world->pair[1], geteuid(), &handoff, &fd), 0);
        close_fd(fd);
}

/* No room for the descriptor: the message is gone, but nothing else is. */
static void test_receiver_without_room(void **state)
{
        const World *world = *state;
        const Datagram datagram = good_datagram();
        struct rlimit limit, none;
        struct bellhop_handoff handoff;
        int fd = 4711, r;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = (struct rlimit){ .rlim_cur = 3, .rlim_max = limit.rlim_max };
        send_raw(world->pair[0], &datagram, GOOD_SIZE, &world->tcp[1], 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        r = bellhop_receive(world->pair[1], geteuid(), &handoff, &fd);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (r == 0) {
                close_fd(fd);
                print_message("the limit is not that of the kernel here\n");
                return;
        }
        assert_int_equal(r, -EMFILE);
        assert_int_equal(fd, 4711);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
                TEST(test_wire_format),
                TEST(test_taken),
                TEST(test_flags_untouched),
                TEST(test_empty),
                TEST(test_foreign),
                TEST(test_credentials_too_late),
                TEST(test_foreign_sender),
                TEST(test_invalid_bytes),
                TEST(test_invalid_sizes),
                TEST(test_truncated),
                TEST(test_number_of_descriptors),
                TEST(test_kinds_of_descriptors),
                TEST(test_ipv6),
                TEST(test_reset_connection),
                TEST(test_receiver_without_room),
        };

        return cmocka_run_group_tests_name("handoff", tests, NULL, NULL);
}
