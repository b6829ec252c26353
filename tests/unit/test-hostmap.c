/* SPDX-License-Identifier: MIT */
/* Tests of the routes: hosts, wildcards, addresses, and putting two maps together. */
#include "unit.h"

#include <arpa/inet.h>

#include "route/hostmap.h"

#define N_MANY 100000U

DEFINE_CLEANUP(HostMap *, hostmap_free);

#define _cleanup_map_ _cleanup_(hostmap_freep)

static Hostname host_of(const char *name)
{
        Hostname host;

        assert_int_equal(hostname_parse(span_from_string(name), &host), HOSTNAME_OK);
        return host;
}

static uint32_t find(const HostMap *map, const char *name)
{
        const Hostname host = host_of(name);

        return hostmap_find_host(map, &host).instance;
}

static Address address_of(const char *text)
{
        Address address;

        if (!address_parse(span_from_string(text), &address))
                fail_msg("'%s' is not an address", text);
        return address;
}

static void add(HostMap *map, const char *host, uint32_t instance)
{
        uint64_t other;

        assert_int_equal(hostmap_add_host(map, host, instance, 0, &other), 0);
}

static void add_address(HostMap *map, const char *text, uint32_t instance, uint64_t origin)
{
        const Address address = address_of(text);
        uint64_t other;

        assert_int_equal(hostmap_add_address(map, &address, instance, origin, &other), 0);
}

static void test_empty(void **state)
{
        _cleanup_map_ HostMap *map = hostmap_new();
        const Address address = address_of("192.0.2.7:443");

        (void)state;
        assert_int_equal(find(map, "a.example"), ROUTE_NONE);
        assert_int_equal(hostmap_find_address(map, &address).instance, ROUTE_NONE);
        assert_false(hostmap_has_addresses(map));
        assert_true(hostmap_is_exact(map));
        assert_int_equal(hostmap_size(map), 0);
        assert_null(hostmap_free(NULL));
}

static void test_hosts(void **state)
{
        static const struct {
                const char *host;
                uint32_t instance;
        } routes[] = {
                { "alice.example", 1 }, { "*.alice.example", 2 },    { "*.shop.alice.example", 3 },
                { "www.alice.example", 4 }, { "a.b.shop.alice.example", 5 }, { "*.example", 6 },
                { "single", 7 }, { "*.only.test", 8 }, { "ice.example", 9 },
        }, questions[] = {
                { "alice.example", 1 },
                { "x.alice.example", 2 },
                { "x.y.alice.example", 2 },
                { "shop.alice.example", 2 },
                { "x.shop.alice.example", 3 },
                { "www.shop.alice.example", 3 },
                { "b.shop.alice.example", 3 },
                { "a.b.shop.alice.example", 5 },
                { "z.a.b.shop.alice.example", 3 },
                { "www.alice.example", 4 },
                { "www.www.alice.example", 2 },
                { "malice.example", 6 },
                { "lice.example", 6 },
                { "example", ROUTE_NONE },
                { "single", 7 },
                { "x.single", ROUTE_NONE },
                { "singl", ROUTE_NONE },
                { "singles", ROUTE_NONE },
                { "only.test", ROUTE_NONE },
                { "x.only.test", 8 },
                { "xonly.test", ROUTE_NONE },
                { "test", ROUTE_NONE },
                { "alice.example.net", ROUTE_NONE },
                { "ice.example", 9 },
        };
        _cleanup_map_ HostMap *map = hostmap_new();

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(routes); i++)
                add(map, routes[i].host, routes[i].instance);
        for (size_t i = 0; i < ELEMENTSOF(questions); i++)
                if (find(map, questions[i].host) != questions[i].instance)
                        fail_msg("%s: %u", questions[i].host, find(map, questions[i].host));
        assert_int_equal(hostmap_size(map), ELEMENTSOF(routes));
        assert_false(hostmap_is_exact(map));
}

static void test_longest_host(void **state)
{
        _cleanup_map_ HostMap *map = hostmap_new();
        char name[HOSTNAME_MAX + 1];
        Hostname host;

        (void)state;
        for (size_t i = 0; i < HOSTNAME_MAX; i++)
                name[i] = i % 2 ? '.' : 'a';
        name[HOSTNAME_MAX] = 0;
        host = host_of(name);
        add(map, "*.a", 1);
        assert_int_equal(hostmap_find_host(map, &host).instance, 1);
        add(map, name, 2);
        assert_int_equal(hostmap_find_host(map, &host).instance, 2);
        host = host_of(name + 2);
        assert_int_equal(hostmap_find_host(map, &host).instance, 1);
}

static void test_exists(void **state)
{
        static const char *const hosts[] = { "a.example", "*.a.example" };
        _cleanup_map_ HostMap *map = hostmap_new();

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(hosts); i++) {
                uint64_t other = 0;

                assert_int_equal(hostmap_add_host(map, hosts[i], 1, UINT64_C(0x100000007) + i,
                                                  &other),
                                 0);
                assert_int_equal(hostmap_add_host(map, hosts[i], 2, 9, &other), -EEXIST);
                assert_int_equal(other, UINT64_C(0x100000007) + i);
        }
        assert_int_equal(hostmap_size(map), 2);
        assert_int_equal(find(map, "a.example"), 1);
        assert_int_equal(find(map, "b.a.example"), 1);
}

/* Every 16th is a wildcard too. Names are of one length, so that near misses are as near as can be.
 */
static void test_many(void **state)
{
        _cleanup_map_ HostMap *map = hostmap_new();
        char name[64];

        (void)state;
        for (unsigned i = 0; i < N_MANY; i++) {
                snprintf(name, sizeof(name), "%ss%06u.example", i % 16 ? "" : "*.", i * 2);
                add(map, name, i);
        }
        assert_int_equal(hostmap_size(map), N_MANY);
        for (unsigned i = 0; i < N_MANY; i++) {
                const uint32_t exact = i % 16 ? i : ROUTE_NONE, below = i % 16 ? ROUTE_NONE : i;

                snprintf(name, sizeof(name), "s%06u.example", i * 2);
                assert_int_equal(find(map, name), exact);
                snprintf(name, sizeof(name), "w.s%06u.example", i * 2);
                assert_int_equal(find(map, name), below);
                snprintf(name, sizeof(name), "s%06u.example", i * 2 + 1);
                assert_int_equal(find(map, name), ROUTE_NONE);
                snprintf(name, sizeof(name), "s%06u.exampl", i * 2);
                assert_int_equal(find(map, name), ROUTE_NONE);
                snprintf(name, sizeof(name), "s%06u.examples", i * 2);
                assert_int_equal(find(map, name), ROUTE_NONE);
        }
}

static void test_addresses(void **state)
{
        static const struct {
                const char *local;
                uint32_t instance;
        } questions[] = {
                { "192.0.2.7:443", 1 },          { "192.0.2.7:80", 2 },
                { "192.0.2.7:444", 2 },          { "192.0.2.8:443", ROUTE_NONE },
                { "192.0.2.9:443", 3 },          { "192.0.2.9:80", ROUTE_NONE },
                { "[2001:db8::7]:443", 4 },      { "[2001:db8::7]:80", ROUTE_NONE },
                { "[2001:db8::8]:1", 5 },        { "[2001:db8::8]:65535", 5 },
                { "[::ffff:192.0.2.9]:443", 3 },
        };
        _cleanup_map_ HostMap *map = hostmap_new();

        (void)state;
        /* Neither in order nor against it. */
        add_address(map, "192.0.2.9:443", 3, 0);
        add_address(map, "[2001:db8::7]:443", 4, 0);
        add_address(map, "192.0.2.7:443", 1, 0);
        add_address(map, "2001:db8::8", 5, 0);
        add_address(map, "192.0.2.7", 2, 0);
        assert_true(hostmap_has_addresses(map));
        assert_false(hostmap_is_exact(map));
        assert_int_equal(hostmap_size(map), 5);
        for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
                const Address local = address_of(questions[i].local);

                if (hostmap_find_address(map, &local).instance != questions[i].instance)
                        fail_msg("%s: %u", questions[i].local,
                                 hostmap_find_address(map, &local).instance);
        }
}

static void test_address_exists(void **state)
{
        static const char *const pairs[][2] = {
                { "192.0.2.7", "192.0.2.7" },
                { "192.0.2.8:443", "192.0.2.8:443" },
                { "192.0.2.9:1", "[::ffff:192.0.2.9]:1" },
                { "2001:db8::7", "[2001:DB8:0:0::7]" },
        };
        _cleanup_map_ HostMap *map = hostmap_new();

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(pairs); i++) {
                const Address again = address_of(pairs[i][1]);
                uint64_t other = 0;

                add_address(map, pairs[i][0], 1, 40 + i);
                assert_int_equal(hostmap_add_address(map, &again, 2, 9, &other), -EEXIST);
                assert_int_equal(other, 40 + i);
        }
        add_address(map, "192.0.2.8", 1, 0);
        assert_int_equal(hostmap_size(map), ELEMENTSOF(pairs) + 1);
}

static void test_merge(void **state)
{
        _cleanup_map_ HostMap *map = hostmap_new(), *from = hostmap_new(), *empty = hostmap_new();
        const Address address = address_of("192.0.2.7:443");
        HostMapRoute taken;
        uint64_t other;

        (void)state;
        assert_int_equal(hostmap_add_host(from, "a.example", 0, 3, &other), 0);
        assert_int_equal(hostmap_add_host(from, "*.a.example", 0, 4, &other), 0);
        add_address(from, "192.0.2.7:443", 0, 5);
        assert_int_equal(hostmap_merge(map, from, 7, UINT64_C(7) << 32, &taken, &other), 0);
        assert_int_equal(hostmap_merge(map, empty, 8, 0, &taken, &other), 0);
        assert_int_equal(hostmap_size(map), 3);
        assert_int_equal(find(map, "a.example"), 7);
        assert_int_equal(find(map, "b.a.example"), 7);
        assert_int_equal(hostmap_find_address(map, &address).instance, 7);
        assert_int_equal(hostmap_add_host(map, "*.a.example", 0, 0, &other), -EEXIST);
        assert_int_equal(other, (UINT64_C(7) << 32) + 4);
        assert_int_equal(hostmap_add_address(map, &address, 0, 0, &other), -EEXIST);
        assert_int_equal(other, (UINT64_C(7) << 32) + 5);
}

static void check_conflict(const char *host, const char *address, const char *what)
{
        _cleanup_map_ HostMap *map = hostmap_new(), *from = hostmap_new();
        const Address new_address = address_of("198.51.100.1");
        HostMapRoute taken;
        uint64_t other;

        assert_int_equal(hostmap_add_host(from, "new.example", 0, 1, &other), 0);
        add_address(from, "198.51.100.1", 0, 2);
        if (host) {
                assert_int_equal(hostmap_add_host(map, host, 1, 11, &other), 0);
                assert_int_equal(hostmap_add_host(from, host, 0, 3, &other), 0);
        }
        if (address) {
                add_address(map, address, 1, 11);
                add_address(from, address, 0, 3);
        }
        assert_int_equal(hostmap_merge(map, from, 2, 1000, &taken, &other), -EEXIST);
        assert_string_equal(taken.what, what);
        assert_int_equal(taken.origin, 3);
        assert_int_equal(other, 11);

        assert_int_equal(hostmap_size(map), 1);
        assert_int_equal(find(map, "new.example"), ROUTE_NONE);
        assert_int_equal(hostmap_find_address(map, &new_address).instance, ROUTE_NONE);
        assert_true(hostmap_has_addresses(map) == (address != NULL));
}

static void test_merge_conflict(void **state)
{
        (void)state;
        check_conflict("a.example", NULL, "a.example");
        check_conflict("*.a.example", NULL, "*.a.example");
        check_conflict(NULL, "192.0.2.7", "192.0.2.7");
        check_conflict(NULL, "192.0.2.7:443", "192.0.2.7:443");
        check_conflict(NULL, "2001:db8::7", "2001:db8::7");
        check_conflict(NULL, "[2001:db8::7]:443", "[2001:db8::7]:443");
}

/* The longest things that a conflict can be about fit where it says them. */
static void test_merge_conflict_longest(void **state)
{
        char host[HOSTNAME_MAX + 3] = "*.";

        (void)state;
        for (size_t i = 2; i < sizeof(host) - 1; i++)
                host[i] = i % 2 ? '.' : 'a';
        host[sizeof(host) - 1] = 0;
        check_conflict(host, NULL, host);
        check_conflict(NULL, "[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
                       "[1111:2222:3333:4444:5555:6666:7777:8888]:65535");
}

static void test_address_parse(void **state)
{
        static const struct {
                const char *text;
                const char *ip; /* as IPv6 */
                uint16_t port;
        } good[] = {
                { "192.0.2.7", "::ffff:192.0.2.7", 0 },
                { "192.0.2.7:443", "::ffff:192.0.2.7", 443 },
                { "192.0.2.7:1", "::ffff:192.0.2.7", 1 },
                { "192.0.2.7:65535", "::ffff:192.0.2.7", 65535 },
                { "255.255.255.255:65535", "::ffff:255.255.255.255", 65535 },
                { "127.0.0.1", "::ffff:127.0.0.1", 0 },
                { "2001:db8::7", "2001:db8::7", 0 },
                { "[2001:db8::7]", "2001:db8::7", 0 },
                { "[2001:DB8::7]:443", "2001:db8::7", 443 },
                { "::1", "::1", 0 },
                { "[::1]:1", "::1", 1 },
                { "::ffff:192.0.2.7", "::ffff:192.0.2.7", 0 },
                { "[::ffff:192.0.2.7]:80", "::ffff:192.0.2.7", 80 },
                { "[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535",
                  "1111:2222:3333:4444:5555:6666:ffff:ffff", 65535 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                struct in6_addr ip;
                Address address;

                assert_int_equal(inet_pton(AF_INET6, good[i].ip, &ip), 1);
                if (!address_parse(guarded_span(good[i].text, strlen(good[i].text)), &address))
                        fail_msg("'%s' was refused", good[i].text);
                assert_memory_equal(&address.ip, &ip, sizeof(ip));
                assert_int_equal(address.port, good[i].port);
        }
}

static const struct {
        const char *text;
        size_t size;
} no_addresses[] = {
        { S("") },
        { S(":") },
        { S("::") },
        { S("[::]") },
        { S("[::]:443") },
        { S("0:0::0") },
        { S("0.0.0.0") },
        { S("0.0.0.0:443") },
        { S("0") },
        { S("192.0.2") },
        { S("127.1") },
        { S("192.0.2.7:0") },
        { S("192.0.2.7:00") },
        { S("192.0.2.7:065") },
        { S("192.0.2.7:65536") },
        { S("192.0.2.7:4294967376") },
        { S("192.0.2.7:18446744073709551617") },
        { S("192.0.2.7:99999999999999999999999999") },
        { S("192.0.2.7:") },
        { S("192.0.2.7:-1") },
        { S("192.0.2.7:+1") },
        { S("192.0.2.7: 1") },
        { S("192.0.2.7:1 ") },
        { S("192.0.2.7:0x1") },
        { S("192.0.2.7:1a") },
        { S("192.0.2.7:1:2") },
        { S("192.0.2.256") },
        { S("192.0.2.07") },
        { S("192.0.2.7 ") },
        { S(" 192.0.2.7") },
        { S("192.0.2.7\0") },
        { S("192.0.2.7:1\0") },
        { S("192.0.2.7/24") },
        { S("[192.0.2.7]") },
        { S("[192.0.2.7]:443") },
        { S("[::1") },
        { S("[::1]x") },
        { S("[::1]443") },
        { S("[::1]:") },
        { S("[::1]:0") },
        { S("[::1]:65536") },
        { S("[]") },
        { S("[]:443") },
        { S("[") },
        { S("]") },
        { S("::1]") },
        { S("[[::1]]") },
        { S("[::1]]") },
        { S("::1::") },
        { S("2001:db8::7%lo") },
        { S("[fe80::1%lo]:443") },
        { S("12345::") },
        { S("alice.example") },
        { S("alice.example:443") },
        { S("*") },
        { S("*:443") },
        { S("[1111:2222:3333:4444:5555:6666:255.255.255.255]:065535") },
        { S("[1111:2222:3333:4444:5555:6666:255.255.255.255]:65535           ") },
        { S("11111111111111111111111111111111111111111111111111111111111111111111111111") },
};

static void test_address_parse_refuses(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(no_addresses); i++) {
                Address address = { .port = 4711 };

                if (address_parse(guarded_span(no_addresses[i].text, no_addresses[i].size),
                                  &address))
                        fail_msg("'%s' was taken", no_addresses[i].text);
                assert_int_equal(address.port, 4711);
        }
}

/* "Any" of IPv4 in the words of IPv6 is no more of a route. */
static void test_address_any_mapped(void **state)
{
        Address address;

        (void)state;
        assert_false(address_parse(span_from_string("::ffff:0.0.0.0"), &address));
        assert_false(address_parse(span_from_string("[::ffff:0:0]:443"), &address));
}

static void test_address_from_sockaddr(void **state)
{
        struct sockaddr_storage storage = { .ss_family = AF_UNIX };
        struct sockaddr_in *in = (struct sockaddr_in *)&storage;
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&storage;
        Address address, expected;

        (void)state;
        assert_false(address_from_sockaddr(&storage, &address));
        *in = (struct sockaddr_in){ .sin_family = AF_INET,
                                    .sin_port = htons(443),
                                    .sin_addr.s_addr = htonl(0xc0000207) };
        expected = address_of("192.0.2.7:443");
        assert_true(address_from_sockaddr(&storage, &address));
        assert_memory_equal(&address.ip, &expected.ip, sizeof(address.ip));
        assert_int_equal(address.port, 443);

        /* What a dual-stack listener says of the same connection is the same address. */
        *in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
                                      .sin6_port = htons(443),
                                      .sin6_addr = expected.ip };
        assert_true(address_from_sockaddr(&storage, &address));
        assert_memory_equal(&address.ip, &expected.ip, sizeof(address.ip));
        assert_int_equal(address.port, 443);
}

static void test_routes(void **state)
{
        static const char *const expected[] = { "b.example", "*.a.example", "192.0.2.7",
                                                "[2001:db8::7]:443" };
        _cleanup_map_ HostMap *map = hostmap_new();
        HostMapRoute route;
        uint64_t other;

        (void)state;
        assert_int_equal(hostmap_add_host(map, "b.example", 0, 10, &other), 0);
        assert_int_equal(hostmap_add_host(map, "*.a.example", 1, 11, &other), 0);
        add_address(map, "192.0.2.7", 2, 12);
        add_address(map, "[2001:db8::7]:443", 3, 13);
        assert_int_equal(hostmap_size(map), ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                route = hostmap_route(map, i);
                assert_string_equal(route.what, expected[i]);
                assert_int_equal(route.is_address, i >= 2);
                assert_int_equal(route.instance, i);
                assert_int_equal(route.origin, 10 + i);
        }
}

static void assert_match(const HostMap *map, const char *what, const char *route, uint32_t instance,
                         uint64_t origin)
{
        const bool address = strspn(what, "0123456789.:") == strlen(what);
        HostMapMatch match;
        HostMapRoute found;

        if (address) {
                const Address local = address_of(what);

                match = hostmap_find_address(map, &local);
        } else {
                const Hostname host = host_of(what);

                match = hostmap_find_host(map, &host);
        }
        if (!route) {
                assert_int_equal(match.instance, ROUTE_NONE);
                return;
        }
        assert_int_equal(match.instance, instance);
        found = hostmap_route(map, match.route);
        assert_string_equal(found.what, route);
        assert_int_equal(found.is_address, address);
        assert_int_equal(found.instance, instance);
        assert_int_equal(found.origin, origin);
}

static void test_match(void **state)
{
        _cleanup_map_ HostMap *map = hostmap_new();
        uint64_t other;

        (void)state;
        assert_match(map, "a.example", NULL, 0, 0);
        assert_match(map, "192.0.2.7:443", NULL, 0, 0);
        assert_int_equal(hostmap_add_host(map, "a.example", 1, 11, &other), 0);
        assert_int_equal(hostmap_add_host(map, "*.example", 2, 12, &other), 0);
        assert_int_equal(hostmap_add_host(map, "*.b.example", 3, 13, &other), 0);
        add_address(map, "192.0.2.7", 4, 14);
        add_address(map, "192.0.2.7:80", 5, 15);
        assert_match(map, "a.example", "a.example", 1, 11);
        assert_match(map, "b.example", "*.example", 2, 12);
        assert_match(map, "x.b.example", "*.b.example", 3, 13);
        assert_match(map, "x.test", NULL, 0, 0);
        assert_match(map, "192.0.2.7:443", "192.0.2.7", 4, 14);
        assert_match(map, "192.0.2.7:80", "192.0.2.7:80", 5, 15);
        assert_match(map, "192.0.2.8:80", NULL, 0, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_empty),
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_longest_host),
                cmocka_unit_test(test_exists),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_address_exists),
                cmocka_unit_test(test_merge),
                cmocka_unit_test(test_merge_conflict),
                cmocka_unit_test(test_merge_conflict_longest),
                cmocka_unit_test(test_routes),
                cmocka_unit_test(test_address_parse),
                cmocka_unit_test(test_address_parse_refuses),
                cmocka_unit_test(test_address_any_mapped),
                cmocka_unit_test(test_address_from_sockaddr),
                cmocka_unit_test(test_match),
        };

        return cmocka_run_group_tests_name("hostmap", tests, NULL, NULL);
}
