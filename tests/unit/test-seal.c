/* SPDX-License-Identifier: MIT */
/*
 * A sealed socket serves its client, and its holder can't use it to connect elsewhere. Each attack
 * is also tried on an unsealed socket, where it must work.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "unit.h"

#include "seal/seal.h"

typedef union Name {
        struct sockaddr any;
        struct sockaddr_in ipv4;
        struct sockaddr_in6 ipv6;
} Name;

typedef enum Kind {
        IPV4,
        IPV4_ANY,
        IPV6,
        IPV6_ANY,      /* IPv6 only */
        IPV6_ANY_BOTH, /* clients of either */
        KINDS,
} Kind;

typedef enum When {
        NEVER,
        LISTENER,      /* before its client comes */
        LISTENER_LATE, /* after that: the connection needs one of its own */
} When;

static socklen_t size_of(const Name *name)
{
        return name->any.sa_family == AF_INET ? sizeof(name->ipv4) : sizeof(name->ipv6);
}

static Name address_of(Kind kind)
{
        Name name = { .ipv6 = { .sin6_family = AF_INET6 } };

        if (kind == IPV4 || kind == IPV4_ANY)
                name.ipv4 = (struct sockaddr_in){
                        .sin_family = AF_INET,
                        .sin_addr.s_addr = htonl(kind == IPV4 ? INADDR_LOOPBACK : INADDR_ANY),
                };
        if (kind == IPV6)
                name.ipv6.sin6_addr = in6addr_loopback;
        return name;
}

static Name name_of(int fd)
{
        Name name;
        socklen_t size = sizeof(name);

        assert_int_equal(getsockname(fd, &name.any, &size), 0);
        return name;
}

static int bind_at(Kind kind)
{
        const Name name = address_of(kind);
        const int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        if (name.any.sa_family == AF_INET6)
                assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY,
                                            &(int){ kind != IPV6_ANY_BOTH }, sizeof(int)),
                                 0);
        assert_int_equal(bind(fd, &name.any, size_of(&name)), 0);
        return fd;
}

static int listen_at(Kind kind)
{
        const int fd = bind_at(kind);

        assert_int_equal(listen(fd, 16), 0);
        return fd;
}

/* A loopback address of the family, with the port of a socket. */
static Name reach(int fd, bool by_ipv4)
{
        const Name local = name_of(fd);
        Name name = address_of(by_ipv4 ? IPV4 : IPV6);

        /* At the same place in both. */
        name.ipv4.sin_port = local.ipv4.sin_port;
        return name;
}

/* Loopback answers within the call, so the state is final when it returns. */
static bool is_established(int fd)
{
        struct tcp_info info;
        socklen_t size = sizeof(info);

        assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
        return info.tcpi_state == TCP_ESTABLISHED;
}

static bool try_connect(int fd, const Name *name)
{
        (void)connect(fd, &name->any, size_of(name));
        return is_established(fd);
}

static int new_client(const Name *name)
{
        const int fd = socket(name->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        return fd;
}

typedef struct Passed {
        Kind kind;
        bool by_ipv4;
        int listener;
        int client;
        int fd; /* as an instance gets it */
} Passed;

static Passed pass(Kind kind, bool by_ipv4, When when)
{
        Passed p = { .kind = kind, .by_ipv4 = by_ipv4, .listener = listen_at(kind) };
        const Name name = reach(p.listener, by_ipv4);

        if (when == LISTENER)
                assert_int_equal(seal_listener(p.listener), 0);
        p.client = new_client(&name);
        assert_true(try_connect(p.client, &name));
        if (when == LISTENER_LATE)
                assert_int_equal(seal_listener(p.listener), 0);
        p.fd = accept4(p.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        assert_true(p.fd >= 0);
        if (when != NEVER)
                assert_int_equal(seal_connection(p.fd), 0);
        return p;
}

static void end(Passed *p)
{
        close_fd(p->fd);
        close_fd(p->client);
        close_fd(p->listener);
}

static void disconnect(const Passed *p)
{
        const struct sockaddr nowhere = { .sa_family = AF_UNSPEC };

        assert_int_equal(connect(p->fd, &nowhere, sizeof(nowhere)), 0);
}

typedef bool Attack(const Passed *p);

static Name someone(const Passed *p, int service)
{
        const bool ipv4_only = p->kind == IPV4 || p->kind == IPV4_ANY;
        Name name = reach(service, p->by_ipv4);

        if (p->by_ipv4 && !ipv4_only) {
                name.ipv6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                                   .sin6_port = name.ipv4.sin_port };
                name.ipv6.sin6_addr.s6_addr16[5] = 0xffff;
                name.ipv6.sin6_addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
        }
        return name;
}

static bool connects(const Passed *p)
{
        const int service = listen_at(p->by_ipv4 ? IPV4 : IPV6);
        const Name name = someone(p, service);
        bool connected;

        disconnect(p);
        connected = try_connect(p->fd, &name);
        close_fd(service);
        return connected;
}

static bool connects_by_fast_open(const Passed *p)
{
        const int service = listen_at(p->by_ipv4 ? IPV4 : IPV6);
        const Name name = someone(p, service);
        bool connected;

        disconnect(p);
        (void)sendto(p->fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL, &name.any, size_of(&name));
        connected = is_established(p->fd);
        close_fd(service);
        return connected;
}

/* Whether a port is closed can't be learnt either. */
static bool learns_of_closed_port(const Passed *p)
{
        const int closed = bind_at(p->by_ipv4 ? IPV4 : IPV6);
        const Name name = someone(p, closed);
        int error = 0;
        socklen_t size = sizeof(error);
        bool refused;

        disconnect(p);
        refused = connect(p->fd, &name.any, size_of(&name)) < 0 && errno == ECONNREFUSED;
        assert_int_equal(getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size), 0);
        close_fd(closed);
        return refused || error == ECONNREFUSED;
}

static bool visitor_comes(const Passed *p)
{
        const Name name = reach(p->fd, p->by_ipv4);
        const int visitor = new_client(&name);
        const bool came = try_connect(visitor, &name);

        close_fd(visitor);
        return came;
}

static bool listens(const Passed *p)
{
        disconnect(p);
        assert_int_equal(listen(p->fd, 16), 0);
        return visitor_comes(p);
}

static bool binds_and_listens(const Passed *p)
{
        Name name = name_of(p->fd);

        name.ipv4.sin_port = 0;
        disconnect(p);
        assert_int_equal(bind(p->fd, &name.any, size_of(&name)), 0);
        assert_int_equal(listen(p->fd, 16), 0);
        return visitor_comes(p);
}

static Attack *const attacks[] = {
        connects, connects_by_fast_open, learns_of_closed_port, listens, binds_and_listens,
};

static bool has_ipv4(Kind kind)
{
        return kind == IPV4 || kind == IPV4_ANY || kind == IPV6_ANY_BOTH;
}

static void for_each_way(void (*look)(Kind kind, bool by_ipv4))
{
        for (Kind kind = 0; kind < KINDS; kind++) {
                if (has_ipv4(kind))
                        look(kind, true);
                if (kind >= IPV6)
                        look(kind, false);
        }
}

static void attack_unsealed(Kind kind, bool by_ipv4)
{
        for (size_t i = 0; i < ELEMENTSOF(attacks); i++) {
                Passed p = pass(kind, by_ipv4, NEVER);

                assert_true(attacks[i](&p));
                end(&p);
        }
}

static void test_what_an_unsealed_socket_can_do(void **state)
{
        for_each_way(attack_unsealed);
}

static void attack_sealed(Kind kind, bool by_ipv4)
{
        for (size_t i = 0; i < ELEMENTSOF(attacks); i++)
                for (When when = LISTENER; when <= LISTENER_LATE; when++) {
                        Passed p = pass(kind, by_ipv4, when);

                        assert_false(attacks[i](&p));
                        end(&p);
                }
}

static void test_a_sealed_socket_is_no_way_out(void **state)
{
        for_each_way(attack_sealed);
}

static void talk(int from, int to)
{
        struct pollfd ready = { .fd = to, .events = POLLIN };
        char byte = 0;

        assert_int_equal(send(from, "x", 1, MSG_NOSIGNAL), 1);
        assert_int_equal(poll(&ready, 1, 10000), 1);
        assert_int_equal(recv(to, &byte, 1, 0), 1);
        assert_int_equal(byte, 'x');
}

static void serve_sealed(Kind kind, bool by_ipv4)
{
        for (When when = LISTENER; when <= LISTENER_LATE; when++) {
                Passed p = pass(kind, by_ipv4, when);
                const Name name = reach(p.listener, by_ipv4);
                const int next = new_client(&name);

                talk(p.client, p.fd);
                talk(p.fd, p.client);
                /* The end of input comes through as well, and the next client. */
                assert_int_equal(shutdown(p.client, SHUT_WR), 0);
                assert_int_equal(recv(p.fd, (char[1]){ 0 }, 1, 0), 0);
                assert_true(try_connect(next, &name));
                close_fd(next);
                end(&p);
        }
}

static void test_a_sealed_socket_serves(void **state)
{
        for_each_way(serve_sealed);
}

static void test_nobody_takes_a_seal_off(void **state)
{
        for (When when = LISTENER; when <= LISTENER_LATE; when++) {
                Passed p = pass(IPV4, true, when);

                for (int round = 0; round < 2; round++) {
                        assert_int_equal(setsockopt(p.fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 0 },
                                                    sizeof(int)),
                                         -1);
                        assert_int_equal(setsockopt(p.fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 },
                                                    sizeof(int)),
                                         -1);
                        disconnect(&p);
                }
                assert_false(connects(&p));
                end(&p);
        }
}

/* One at its own address where the listener has another; a wildcard keeps the whole port. */
static void test_the_port_of_the_listener_is_no_way_out(void **state)
{
        static const struct {
                Kind kind;
                const char *address; /* mapped IPv4 */
        } cases[] = { { IPV6, "\177\0\0\2" }, { IPV6_ANY, "\177\0\0\1" } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Passed p = pass(cases[i].kind, false, LISTENER);
                Name name = { .ipv6 = { .sin6_family = AF_INET6,
                                        .sin6_port = name_of(p.listener).ipv6.sin6_port } };
                Name visited = address_of(IPV4);
                int visitor;

                disconnect(&p);
                assert_int_equal(setsockopt(p.fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 },
                                            sizeof(int)),
                                 0);
                name.ipv6.sin6_addr.s6_addr16[5] = 0xffff;
                memcpy(&name.ipv6.sin6_addr.s6_addr32[3], cases[i].address, 4);
                assert_int_equal(bind(p.fd, &name.any, sizeof(name.ipv6)), 0);
                assert_int_equal(listen(p.fd, 16), 0);
                visited.ipv4.sin_port = name.ipv6.sin6_port;
                memcpy(&visited.ipv4.sin_addr, cases[i].address, 4);
                visitor = new_client(&visited);
                assert_false(try_connect(visitor, &visited));
                close_fd(visitor);
                end(&p);
        }
}

static void test_only_sockets_of_ip(void **state)
{
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        assert_int_equal(seal_connection(pair[0]), -EAFNOSUPPORT);
        close_fd(pair[0]);
        close_fd(pair[1]);
        assert_int_equal(seal_listener(-1), -EBADF);
}

/* A network of its own: the privilege that a seal takes, and no port that others use. */
static int enter_network(void **state)
{
        struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
        _cleanup_close_ int fd = -EBADF;

        assert_int_equal(unshare(CLONE_NEWNET | (geteuid() == 0 ? 0 : CLONE_NEWUSER)), 0);
        fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_an_unsealed_socket_can_do),
                cmocka_unit_test(test_a_sealed_socket_is_no_way_out),
                cmocka_unit_test(test_a_sealed_socket_serves),
                cmocka_unit_test(test_nobody_takes_a_seal_off),
                cmocka_unit_test(test_the_port_of_the_listener_is_no_way_out),
                cmocka_unit_test(test_only_sockets_of_ip),
        };

        return cmocka_run_group_tests(tests, enter_network, NULL);
}
