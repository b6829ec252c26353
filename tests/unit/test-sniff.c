/* SPDX-License-Identifier: MIT */
/* Tests of the choice by the first byte, and of the parser of HTTP/1 heads. */
#include "sniff-guard.h"
#include "util/cleanup.h"

#include <ctype.h>
#include <stdlib.h>

/* A string that may hold NUL, with its size. */
#define S(string) (string), sizeof(string) - 1

#define HEAD  "GET / HTTP/1.1\r\n"
#define ALICE HEAD "Host: alice.example\r\n"

typedef struct Case {
        const char *head;
        size_t size;
        const char *host; /* NULL: malformed */
} Case;

/* A head that names a host is checked at every length, and with bytes that follow. */
static void check(const Case *c)
{
        Sniff s = guarded(sniff, c->head, c->size);
        char *longer;

        assert_int_equal(s.protocol, BELLHOP_PROTOCOL_HTTP);
        if (c->host == NULL) {
                assert_outcome(c->head, &s, SNIFF_MALFORMED);
                return;
        }
        assert_host(c->head, &s, c->host);
        assert_prefixes_need_more(c->head, sniff, c->head, c->size);
        longer = malloc(c->size + 7);
        assert_non_null(longer);
        memcpy(longer, c->head, c->size);
        memcpy(longer + c->size, "\0\n\r x:\n", 7);
        for (size_t n = 1; n <= 7; n++) {
                s = guarded(sniff, longer, c->size + n);
                assert_host(c->head, &s, c->host);
        }
        free(longer);
}

static void test_first_byte(void **state)
{
        (void)state;
        for (unsigned first = 0; first < 256; first++) {
                const char *letters = "!#$%&'*+-.^_`|~\r\n";
                uint8_t byte = (uint8_t)first;
                Sniff s = guarded(sniff, &byte, 1);
                bool is_http = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') ||
                               (first >= '0' && first <= '9') ||
                               (first != 0 && strchr(letters, (int)first) != NULL);
                bool is_tls = (first >= 20 && first <= 24) || first >= 128;

                assert_int_equal(s.protocol, is_tls    ? BELLHOP_PROTOCOL_TLS
                                             : is_http ? BELLHOP_PROTOCOL_HTTP
                                                       : BELLHOP_PROTOCOL_UNKNOWN);
                assert_int_equal(s.outcome, (is_http && first != '\n') || first == 22
                                                    ? SNIFF_MORE
                                                    : SNIFF_MALFORMED);
        }
}

static void test_nothing_yet(void **state)
{
        Sniff s = guarded(sniff, "", 0);

        (void)state;
        assert_outcome("nothing", &s, SNIFF_MORE);
        assert_int_equal(s.need_bytes, 1);
        assert_int_equal(s.protocol, BELLHOP_PROTOCOL_UNKNOWN);
}

static void test_foreign_protocols(void **state)
{
        static const struct {
                const char *data;
                size_t size;
                enum bellhop_protocol protocol;
        } cases[] = {
                { S("\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10"), BELLHOP_PROTOCOL_TLS },
                { S("\x15\x03\x01\0\x02\x02\x28"), BELLHOP_PROTOCOL_TLS },
                { S("\x05\x01\0"), BELLHOP_PROTOCOL_UNKNOWN },
                { S("SSH-2.0-OpenSSH_9.2p1\r\n"), BELLHOP_PROTOCOL_HTTP },
                { S("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), BELLHOP_PROTOCOL_HTTP },
                { S("\r\n\r\n\0\r\nQUIT\n"), BELLHOP_PROTOCOL_HTTP },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s = guarded(sniff, cases[i].data, cases[i].size);

                assert_outcome(cases[i].data, &s, SNIFF_MALFORMED);
                assert_int_equal(s.protocol, cases[i].protocol);
        }
}

static void test_valid_heads(void **state)
{
        static const Case cases[] = {
                { S(ALICE "\r\n"), "alice.example" },
                { S("GET / HTTP/1.0\r\nHost: alice.example\r\n\r\n"), "alice.example" },
                { S("GET /a?b=/../%00\"<>\\^`{|}\xff HTTP/1.1\r\nHost: a\r\n\r\n"), "a" },
                { S("GET //other.example/ HTTP/1.1\r\nHost: a\r\n\r\n"), "a" },
                { S("!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\nHost: a\r\n\r\n"), "a" },
                { S("PRIX / HTTP/1.1\r\nHost: a\r\n\r\n"), "a" },
                { S("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "a" },
                { S("\r\n" ALICE "\r\n"), "alice.example" },
                { S("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" ALICE "\r\n"), "alice.example" },
                { S(HEAD "A: b\r\nHost: a\r\nHosts: c\r\nHos: d\r\nX-Host: e\r\n\r\n"), "a" },
                { S(HEAD "Empty:\r\nSpaces:  \t \r\nHOST:a\r\n\r\n"), "a" },
                { S(HEAD "hOsT:\t a.example:8443 \t\r\n\r\n"), "a.example:8443" },
                { S(HEAD "Host: [2001:db8::1]:80\r\n\r\n"), "[2001:db8::1]:80" },
                { S(HEAD "Host: A_b-C.09.\r\n\r\n"), "A_b-C.09." },
                { S(HEAD "Host: :80\r\n\r\n"), ":80" },
                { S(HEAD "X: a\tb \"\xc3\xa4\xff ,;\r\nHost: a\r\n\r\n"), "a" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check(&cases[i]);
}

static void test_target_forms(void **state)
{
        static const Case cases[] = {
                { S("GET http://a.example HTTP/1.1\r\nHost: b\r\n\r\n"), "a.example" },
                { S("GET http://a.example:81/ HTTP/1.1\r\nHost: b\r\n\r\n"), "a.example:81" },
                { S("GET HtTp://a.example/@b HTTP/1.1\r\nHost: b\r\n\r\n"), "a.example" },
                { S("GET HtTpS://A.example/@b HTTP/1.1\r\nHost: a.Example\r\n\r\n"), "A.example" },
                { S("GET https://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET https://a/ HTTP/1.1\r\nHost: a:443\r\n\r\n"), NULL },
                { S("GET https://a/ HTTP/1.1\r\nHost:\r\n\r\n"), NULL },
                { S("GET https://a/ HTTP/1.0\r\n\r\n"), NULL },
                { S("GET http://a?b HTTP/1.1\r\nHost:\r\n\r\n"), "a" },
                { S("GET http://a/ HTTP/1.0\r\n\r\n"), "a" },
                { S("OPTIONS http://a HTTP/1.1\r\nHost: b\r\n\r\n"), "a" },
                { S("CONNECT a.example:443 HTTP/1.1\r\nHost: b\r\n\r\n"), "a.example:443" },
                { S("CONNECT [::1]:443 HTTP/1.0\r\n\r\n"), "[::1]:443" },
                { S("GET http:///a HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://:80/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http:// HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http:/a HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://b@a/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://b:c@a/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://a\\b/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://a%2eb/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://a,b/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET http://a#/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET /a#b HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET ftp://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET httpx://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET a HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET a:80 HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("GET * HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("options * HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("OPTIONS ** HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT a HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT a: HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT 80 HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT :80 HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT / HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
                { S("CONNECT http://a:80 HTTP/1.1\r\nHost: b\r\n\r\n"), NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                check(&cases[i]);
}

/* Malformed by the last byte of the case, and not before. */
static void test_malformed_request_lines(void **state)
{
        static const Case cases[] = {
                { S("\n"), NULL },
                { S("\r\r"), NULL },
                { S("\rG"), NULL },
                { S("\r\n\n"), NULL },
                { S("\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r"), NULL },
                { S("\r\n "), NULL },
                { S("GET\t"), NULL },
                { S("GET\r"), NULL },
                { S("GET\n"), NULL },
                { S("G("), NULL },
                { S("GET\x80"), NULL },
                { S("GET  "), NULL },
                { S("GET \t"), NULL },
                { S("GET /\r"), NULL },
                { S("GET /\n"), NULL },
                { S("GET /\t"), NULL },
                { S("GET /\0"), NULL },
                { S("GET /\x7f"), NULL },
                { S("GET /#"), NULL },
                { S("GET /  "), NULL },
                { S("GET / \t"), NULL },
                { S("GET / \r"), NULL },
                { S("GET / h"), NULL },
                { S("GET / HTTP/0"), NULL },
                { S("GET / HTTP/2"), NULL },
                { S("GET / HTTP/1.2"), NULL },
                { S("GET / HTTP/1.1 "), NULL },
                { S("GET / HTTP/1.1\n"), NULL },
                { S("GET / HTTP/1.11"), NULL },
                { S("GET / HTTP/1.1\r\r"), NULL },
                { S("GET / HTTP/1.1\rH"), NULL },
                { S("GET / /"), NULL },
                { S("PRI /"), NULL },
                { S("PRI * HTTP/1"), NULL },
                { S("PRI * HTTP/2.0\r\nH"), NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                check(&cases[i]);
                for (size_t n = 1; n < cases[i].size; n++) {
                        Sniff s = guarded(sniff, cases[i].head, n);

                        assert_outcome(cases[i].head, &s, SNIFF_MORE);
                }
        }
}

static void test_malformed_fields(void **state)
{
        static const Case cases[] = {
                { S(HEAD " "), NULL },
                { S(HEAD "\t"), NULL },
                { S(HEAD "\n"), NULL },
                { S(HEAD "\r\r"), NULL },
                { S(HEAD ":"), NULL },
                { S(HEAD "Host "), NULL },
                { S(HEAD "Host\t"), NULL },
                { S(HEAD "Host\r"), NULL },
                { S(HEAD "Host\n"), NULL },
                { S(HEAD "Ho\0"), NULL },
                { S(HEAD "H\xc3"), NULL },
                { S(HEAD "("), NULL },
                { S(HEAD "A: b\n"), NULL },
                { S(HEAD "A: b\r\r"), NULL },
                { S(HEAD "A: b\rc"), NULL },
                { S(HEAD "A: b\0"), NULL },
                { S(HEAD "A: b\x01"), NULL },
                { S(HEAD "A: b\x0b"), NULL },
                { S(HEAD "A: b\x7f"), NULL },
                { S(ALICE " "), NULL },
                { S(ALICE "\t"), NULL },
                { S(ALICE "\n"), NULL },
                { S(ALICE "\rX"), NULL },
                { S(ALICE "Host: alice.example\r\n"), NULL },
                { S(ALICE "Host:\r\n"), NULL },
                { S(ALICE "A: b\r\nhost: bob.example\r\n"), NULL },
                { S(HEAD "Host:\r\nHost: a\r\n"), NULL },
                { S(HEAD "Host: a b\r\n"), NULL },
                { S(HEAD "Host: a\tb\r\n"), NULL },
                { S(HEAD "Host: a,b\r\n"), NULL },
                { S(HEAD "Host: a, a\r\n"), NULL },
                { S(HEAD "Host: a/b\r\n"), NULL },
                { S(HEAD "Host: a\\b\r\n"), NULL },
                { S(HEAD "Host: b@a\r\n"), NULL },
                { S(HEAD "Host: a?b\r\n"), NULL },
                { S(HEAD "Host: a#b\r\n"), NULL },
                { S(HEAD "Host: a%62\r\n"), NULL },
                { S(HEAD "Host: a*b\r\n"), NULL },
                { S(HEAD "Host: \"a\"\r\n"), NULL },
                { S(HEAD "Host: b\xc3\xa4r.example\r\n"), NULL },
                { S(HEAD "Host: http://a\r\n"), NULL },
                { S("GET http://a/ HTTP/1.1\r\nHost: b c\r\n"), NULL },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                check(&cases[i]);
                for (size_t n = 1; n < cases[i].size; n++) {
                        Sniff s = guarded(sniff, cases[i].head, n);

                        assert_outcome(cases[i].head, &s, SNIFF_MORE);
                }
        }
}

static void test_no_host(void **state)
{
        static const struct {
                const char *head;
                size_t size;
                bool required;
        } cases[] = {
                { S("GET / HTTP/1.1\r\n\r\n"), true },
                { S("GET / HTTP/1.0\r\n\r\n"), false },
                { S("GET / HTTP/1.1\r\nA: b\r\n\r\n"), true },
                { S("GET / HTTP/1.1\r\nHost:\r\n\r\n"), true },
                { S("GET / HTTP/1.1\r\nHost: \t \r\n\r\n"), true },
                { S("GET / HTTP/1.0\r\nHost: \r\n\r\n"), false },
                { S("GET http://a/ HTTP/1.1\r\n\r\n"), true },
                { S("CONNECT a:443 HTTP/1.1\r\nA: b\r\n\r\n"), true },
                { S("OPTIONS * HTTP/1.0\r\n\r\n"), false },
                { S("PRI * HTTP/2.0\r\n\r\n"), true },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s = guarded(sniff, cases[i].head, cases[i].size);

                assert_outcome(cases[i].head, &s, SNIFF_NO_HOST);
                assert_int_equal(s.host_required, cases[i].required);
                assert_int_equal(s.protocol, BELLHOP_PROTOCOL_HTTP);
                assert_prefixes_need_more(cases[i].head, sniff, cases[i].head, cases[i].size);
        }
}

/* What follows the preface's first line is HTTP/2 and not ours. */
static void test_http2_preface(void **state)
{
        static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
        Sniff s = guarded(sniff, preface, sizeof(preface) - 1);

        (void)state;
        assert_outcome("preface", &s, SNIFF_NO_HOST);
        assert_true(s.host_required);
}

static void test_host_length(void **state)
{
        (void)state;
        for (size_t length = 1; length < 2 * SNIFF_HOST_MAX; length++) {
                char field[1024], target[1024], *end;
                Sniff s;

                end = mempcpy(field, HEAD "Host: ", strlen(HEAD "Host: "));
                memset(end, 'a', length);
                end = mempcpy(end + length, " \r\n\r\n", 5);
                s = guarded(sniff, field, (size_t)(end - field));
                assert_outcome("field", &s, length <= 260 ? SNIFF_HOST : SNIFF_MALFORMED);

                end = mempcpy(target, "GET http://", 11);
                memset(end, 'a', length);
                end = mempcpy(end + length, "/ HTTP/1.0\r\n\r\n", 14);
                s = guarded(sniff, target, (size_t)(end - target));
                assert_outcome("target", &s, length <= 260 ? SNIFF_HOST : SNIFF_MALFORMED);
                if (s.outcome == SNIFF_HOST)
                        assert_int_equal(s.host_length, length);
        }
}

/* The bytes that are still missing for an empty line are asked for at once. */
static void test_need_bytes(void **state)
{
        static const struct {
                const char *head;
                size_t more;
        } cases[] = {
                { "G", 4 },           { "GET / HTTP/1.1", 4 }, { HEAD "A: b", 4 },
                { HEAD "A: b\r", 3 }, { HEAD "A: b\r\n", 2 },  { HEAD "A: b\r\n\r", 1 },
                { HEAD "\r", 1 },     { "\r\n", 2 },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s = guarded(sniff, cases[i].head, strlen(cases[i].head));

                assert_outcome(cases[i].head, &s, SNIFF_MORE);
                assert_int_equal(s.need_bytes, strlen(cases[i].head) + cases[i].more);
        }
}

/* Every byte value at every place of a head: the guard page and the general rules watch. */
static void test_any_byte_anywhere(void **state)
{
        static const char head[] = "GET http://a/ HTTP/1.1\r\nHost: alice.example\r\nA: b\r\n\r\n";
        size_t n_hosts = 0;

        (void)state;
        for (size_t at = 0; at < sizeof(head) - 1; at++)
                for (unsigned value = 0; value < 256; value++) {
                        char changed[sizeof(head)];
                        Sniff s;

                        memcpy(changed, head, sizeof(head));
                        changed[at] = (char)value;
                        s = guarded(sniff, changed, sizeof(head) - 1);
                        if (s.outcome == SNIFF_HOST)
                                n_hosts++;
                        for (size_t i = 0; i < s.host_length; i++)
                                assert_true(isalnum(s.host[i]) ||
                                            memchr(":[]-._", s.host[i], 6) != NULL);
                }
        assert_in_range(n_hosts, sizeof(head), 256 * sizeof(head) / 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_byte),
                cmocka_unit_test(test_nothing_yet),
                cmocka_unit_test(test_foreign_protocols),
                cmocka_unit_test(test_valid_heads),
                cmocka_unit_test(test_target_forms),
                cmocka_unit_test(test_malformed_request_lines),
                cmocka_unit_test(test_malformed_fields),
                cmocka_unit_test(test_no_host),
                cmocka_unit_test(test_http2_preface),
                cmocka_unit_test(test_host_length),
                cmocka_unit_test(test_need_bytes),
                cmocka_unit_test(test_any_byte_anywhere),
        };

        return cmocka_run_group_tests_name("sniff", tests, NULL, NULL);
}
