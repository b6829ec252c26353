/* SPDX-License-Identifier: MIT */
/* Tests of the canonical form of a host. */
#include "unit.h"

#include "route/hostname.h"

#define L63  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff123"
#define L64  "x" L63
#define L61  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1"
#define L253 L63 "." L63 "." L63 "." L61
#define L254 L63 "." L63 "." L63 "." L61 "z"

typedef HostnameResult (*Parse)(Span in, Hostname *ret);

typedef struct Case {
        const char *in;
        size_t size;
        HostnameResult result;
        const char *name; /* when it is HOSTNAME_OK */
} Case;

static void check(Parse parse, const Case *c)
{
        Hostname hostname, untouched;
        HostnameResult result;

        memset(&hostname, 0x5a, sizeof(hostname));
        untouched = hostname;
        result = parse(guarded_span(c->in, c->size), &hostname);
        if (result != c->result)
                fail_msg("'%s': %d, not %d", c->in, (int)result, (int)c->result);
        if (result != HOSTNAME_OK) {
                assert_memory_equal(&hostname, &untouched, sizeof(hostname));
                return;
        }
        assert_string_equal(hostname.name, c->name);
        assert_int_equal(hostname.length, strlen(c->name));
}

static void check_all(Parse parse, const Case *cases, size_t n)
{
        for (size_t i = 0; i < n; i++)
                check(parse, &cases[i]);
}

static void test_names(void **state)
{
        static const Case cases[] = {
                { S("a"), HOSTNAME_OK, "a" },
                { S("Alice.EXAMPLE"), HOSTNAME_OK, "alice.example" },
                { S("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), HOSTNAME_OK, "abcdefghijklmnopqrstuvwxyz" },
                { S("abcdefghijklmnopqrstuvwxyz"), HOSTNAME_OK, "abcdefghijklmnopqrstuvwxyz" },
                { S("0123456789.a"), HOSTNAME_OK, "0123456789.a" },
                { S("a.example."), HOSTNAME_OK, "a.example" },
                { S("xn--bcher-kva.example"), HOSTNAME_OK, "xn--bcher-kva.example" },
                { S("a-b.c--d"), HOSTNAME_OK, "a-b.c--d" },
                { S("_dmarc.a"), HOSTNAME_OK, "_dmarc.a" },
                { S("a_.b_c"), HOSTNAME_OK, "a_.b_c" },
                { S("_"), HOSTNAME_OK, "_" },
                { S("1a"), HOSTNAME_OK, "1a" },
                { S("1.2.3.4a"), HOSTNAME_OK, "1.2.3.4a" },
                { S("1.2.3.a4"), HOSTNAME_OK, "1.2.3.a4" },
                { S("1-1"), HOSTNAME_OK, "1-1" },
                { S("1_1"), HOSTNAME_OK, "1_1" },
        };

        (void)state;
        check_all(hostname_parse, cases, ELEMENTSOF(cases));
        check_all(hostname_parse_with_port, cases, ELEMENTSOF(cases));
}

static void test_lengths(void **state)
{
        static const Case cases[] = {
                { S(L63), HOSTNAME_OK, L63 },
                { S(L63 "."), HOSTNAME_OK, L63 },
                { S(L63 ".b"), HOSTNAME_OK, L63 ".b" },
                { S("a." L63 ".b"), HOSTNAME_OK, "a." L63 ".b" },
                { S(L64), HOSTNAME_INVALID, NULL },
                { S(L64 ".b"), HOSTNAME_INVALID, NULL },
                { S("a." L64), HOSTNAME_INVALID, NULL },
                { S("a." L64 "."), HOSTNAME_INVALID, NULL },
                { S(L253), HOSTNAME_OK, L253 },
                { S(L253 "."), HOSTNAME_OK, L253 },
                { S(L254), HOSTNAME_INVALID, NULL },
                { S(L254 "."), HOSTNAME_INVALID, NULL },
                { S(L253 "." L253), HOSTNAME_INVALID, NULL },
        };

        (void)state;
        assert_int_equal(strlen(L63), 63);
        assert_int_equal(strlen(L253), HOSTNAME_MAX);
        check_all(hostname_parse, cases, ELEMENTSOF(cases));
        check_all(hostname_parse_with_port, cases, ELEMENTSOF(cases));
}

static void test_most_labels(void **state)
{
        char name[2 * 127 + 1];
        Case c = { .in = name, .size = 253, .result = HOSTNAME_OK, .name = name };
        Hostname hostname;

        (void)state;
        for (size_t i = 0; i < sizeof(name); i++)
                name[i] = i % 2 ? '.' : 'a';
        name[253] = 0;
        check(hostname_parse, &c);
        name[253] = '.';
        assert_int_equal(hostname_parse(guarded_span(name, 254), &hostname), HOSTNAME_OK);
        assert_int_equal(hostname.length, 253);
        assert_memory_equal(hostname.name, name, 253);
}

static void test_invalid(void **state)
{
        static const Case cases[] = {
                { S("."), HOSTNAME_INVALID, NULL },
                { S(".."), HOSTNAME_INVALID, NULL },
                { S(".a"), HOSTNAME_INVALID, NULL },
                { S("a.."), HOSTNAME_INVALID, NULL },
                { S("a..b"), HOSTNAME_INVALID, NULL },
                { S("-"), HOSTNAME_INVALID, NULL },
                { S("-a"), HOSTNAME_INVALID, NULL },
                { S("a-"), HOSTNAME_INVALID, NULL },
                { S("a-."), HOSTNAME_INVALID, NULL },
                { S("a.-b"), HOSTNAME_INVALID, NULL },
                { S("a-.b"), HOSTNAME_INVALID, NULL },
                { S("a.b-"), HOSTNAME_INVALID, NULL },
                { S("a b"), HOSTNAME_INVALID, NULL },
                { S(" a"), HOSTNAME_INVALID, NULL },
                { S("a "), HOSTNAME_INVALID, NULL },
                { S("a\t"), HOSTNAME_INVALID, NULL },
                { S("a\0b"), HOSTNAME_INVALID, NULL },
                { S("a.example\0"), HOSTNAME_INVALID, NULL },
                { S("a.example\0.b"), HOSTNAME_INVALID, NULL },
                { S("\0"), HOSTNAME_INVALID, NULL },
                { S("b\xc3\xbc"
                    "cher.example"),
                  HOSTNAME_INVALID, NULL },
                { S("a\xe3\x80\x82"
                    "b"),
                  HOSTNAME_INVALID, NULL },
                { S("\xff"), HOSTNAME_INVALID, NULL },
                { S("*"), HOSTNAME_INVALID, NULL },
                { S("*.a"), HOSTNAME_INVALID, NULL },
                { S("a/b"), HOSTNAME_INVALID, NULL },
                { S("a\\b"), HOSTNAME_INVALID, NULL },
                { S("a@b"), HOSTNAME_INVALID, NULL },
                { S("a,b"), HOSTNAME_INVALID, NULL },
                { S("a%62"), HOSTNAME_INVALID, NULL },
                { S("a\n"), HOSTNAME_INVALID, NULL },
                { S("a]"), HOSTNAME_INVALID, NULL },
        };

        (void)state;
        check_all(hostname_parse, cases, ELEMENTSOF(cases));
        check_all(hostname_parse_with_port, cases, ELEMENTSOF(cases));
}

static void test_addresses(void **state)
{
        static const Case cases[] = {
                { S("192.0.2.7"), HOSTNAME_ADDRESS, NULL },
                { S("192.0.2.7."), HOSTNAME_ADDRESS, NULL },
                { S("127.1"), HOSTNAME_ADDRESS, NULL },
                { S("2130706433"), HOSTNAME_ADDRESS, NULL },
                { S("0"), HOSTNAME_ADDRESS, NULL },
                { S("999.999.999.999"), HOSTNAME_ADDRESS, NULL },
                { S("a.example.1"), HOSTNAME_ADDRESS, NULL },
                { S("["), HOSTNAME_ADDRESS, NULL },
                { S("[::1]"), HOSTNAME_ADDRESS, NULL },
                { S("[2001:db8::7]"), HOSTNAME_ADDRESS, NULL },
        };

        (void)state;
        check_all(hostname_parse, cases, ELEMENTSOF(cases));
        check_all(hostname_parse_with_port, cases, ELEMENTSOF(cases));
}

static void test_no_port(void **state)
{
        static const Case cases[] = {
                { S("::1"), HOSTNAME_ADDRESS, NULL },
                { S("2001:db8::7"), HOSTNAME_ADDRESS, NULL },
                { S("a:80"), HOSTNAME_ADDRESS, NULL },
                { S(":"), HOSTNAME_ADDRESS, NULL },
                { S("[::1]:80"), HOSTNAME_ADDRESS, NULL },
        };

        (void)state;
        check_all(hostname_parse, cases, ELEMENTSOF(cases));
}

static void test_ports(void **state)
{
        static const Case cases[] = {
                { S("a:"), HOSTNAME_INVALID, NULL },
                { S("a:0"), HOSTNAME_OK, "a" },
                { S("a:1"), HOSTNAME_OK, "a" },
                { S("A.Example.:443"), HOSTNAME_OK, "a.example" },
                { S("a:65535"), HOSTNAME_OK, "a" },
                { S("a:65536"), HOSTNAME_INVALID, NULL },
                { S("a:99999"), HOSTNAME_INVALID, NULL },
                { S("a:4294967376"), HOSTNAME_INVALID, NULL },
                { S("a:18446744073709551696"), HOSTNAME_INVALID, NULL },
                { S("a:0000000000000000000000000000080"), HOSTNAME_OK, "a" },
                { S("a:80:"), HOSTNAME_INVALID, NULL },
                { S("a:80:80"), HOSTNAME_INVALID, NULL },
                { S("a::80"), HOSTNAME_INVALID, NULL },
                { S("a:+80"), HOSTNAME_INVALID, NULL },
                { S("a:-1"), HOSTNAME_INVALID, NULL },
                { S("a: 80"), HOSTNAME_INVALID, NULL },
                { S("a:80 "), HOSTNAME_INVALID, NULL },
                { S("a :80"), HOSTNAME_INVALID, NULL },
                { S("a:0x50"), HOSTNAME_INVALID, NULL },
                { S("a:8a"), HOSTNAME_INVALID, NULL },
                { S("a:80\0"), HOSTNAME_INVALID, NULL },
                { S("a:/"), HOSTNAME_INVALID, NULL },
                { S("::1"), HOSTNAME_INVALID, NULL },
                { S(":"), HOSTNAME_INVALID, NULL },
                { S(":80"), HOSTNAME_EMPTY, NULL },
                { S(":x"), HOSTNAME_INVALID, NULL },
                { S(".:80"), HOSTNAME_INVALID, NULL },
                { S("192.0.2.7:80"), HOSTNAME_ADDRESS, NULL },
                { S("[::1]:80"), HOSTNAME_ADDRESS, NULL },
                { S(L253 ":80"), HOSTNAME_OK, L253 },
                { S(L253 ".:65535"), HOSTNAME_OK, L253 },
                { S(L254 ":80"), HOSTNAME_INVALID, NULL },
        };

        (void)state;
        check_all(hostname_parse_with_port, cases, ELEMENTSOF(cases));
}

static void test_empty(void **state)
{
        static const Case c = { S(""), HOSTNAME_EMPTY, NULL };
        const Span nothing = { .size = 0 };
        Hostname hostname;

        (void)state;
        check(hostname_parse, &c);
        check(hostname_parse_with_port, &c);
        assert_int_equal(hostname_parse(nothing, &hostname), HOSTNAME_EMPTY);
        assert_int_equal(hostname_parse_with_port(nothing, &hostname), HOSTNAME_EMPTY);
}

static void test_every_byte(void **state)
{
        (void)state;
        for (unsigned value = 0; value < 256; value++) {
                const char in[] = { 'a', (char)value, 'b' };
                const bool good = (value >= '0' && value <= '9') ||
                                  (value >= 'a' && value <= 'z') ||
                                  (value >= 'A' && value <= 'Z') || value == '-' || value == '.' ||
                                  value == '_';
                Hostname hostname;
                const HostnameResult result = hostname_parse(guarded_span(in, 3), &hostname);

                assert_int_equal(result, good           ? HOSTNAME_OK
                                         : value == ':' ? HOSTNAME_ADDRESS
                                                        : HOSTNAME_INVALID);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),       cmocka_unit_test(test_lengths),
                cmocka_unit_test(test_most_labels), cmocka_unit_test(test_invalid),
                cmocka_unit_test(test_addresses),   cmocka_unit_test(test_no_port),
                cmocka_unit_test(test_ports),       cmocka_unit_test(test_empty),
                cmocka_unit_test(test_every_byte),
        };

        return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
