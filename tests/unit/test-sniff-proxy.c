/* SPDX-License-Identifier: MIT */
/* Tests of the parser of PROXY headers, and that no other parser takes one. */
#include "unit.h"

#include "sniff/sniff.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4_BYTES  "\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x01\xbb"
#define IP6_BYTES "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
#define V6_BYTES  IP6_BYTES IP6_BYTES "\x12\x67\x01\xbb"
#define LONG_IP6  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define X10       "xxxxxxxxxx"

static SniffProxy guarded(const void *data, size_t size)
{
        const SniffProxy proxy = sniff_proxy(guarded_span(data, size));

        if (proxy.outcome == SNIFF_PROXY_MORE)
                assert_true(proxy.need_bytes > size);
        return proxy;
}

static const struct {
        const char *header;
        size_t size;
        const char *source; /* NULL: the peer's own */
} good[] = {
        { S("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n"), "192.0.2.7:4711" },
        { S("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), "0.0.0.0" },
        { S("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
          "255.255.255.255:65535" },
        { S("PROXY TCP6 2001:db8::7 2001:DB8::1 4711 443\r\n"), "[2001:db8::7]:4711" },
        { S("PROXY TCP6 " LONG_IP6 " " LONG_IP6 " 65535 65535\r\n"), "[" LONG_IP6 "]:65535" },
        { S("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), "192.0.2.7:1" },
        { S("PROXY UNKNOWN\r\n"), NULL },
        { S("PROXY UNKNOWN \r\n"), NULL },
        { S("PROXY UNKNOWN 192.0.2.7 198.51.100.1 4711 443\r\n"), NULL },
        { S("PROXY UNKNOWN " LONG_IP6 " " LONG_IP6 " 65535 65535\r\n"), NULL }, /* 107 bytes */
        { S(SIGNATURE "\x21\x11\x00\x0c" V4_BYTES), "192.0.2.7:4711" },
        { S(SIGNATURE "\x21\x21\x00\x24" V6_BYTES), "[2001:db8::7]:4711" },
        { S(SIGNATURE "\x21\x11\x00\x13" V4_BYTES "\x04\x00\x04\x01\x02\x03\x04"),
          "192.0.2.7:4711" },
        { S(SIGNATURE "\x21\x21\x00\x25" V6_BYTES "?"), "[2001:db8::7]:4711" },
        { S(SIGNATURE "\x21\x00\x00\x00"), NULL },
        { S(SIGNATURE "\x21\x00\x00\x03\x04\x00\x00"), NULL },
        { S(SIGNATURE "\x20\x00\x00\x00"), NULL },
        { S(SIGNATURE "\x20\x11\x00\x0c" V4_BYTES), NULL },
        { S(SIGNATURE "\x20\x11\x00\x01?"), NULL },
        { S(SIGNATURE "\x20\xff\x00\x00"), NULL },
};

static void assert_complete(const char *label, const SniffProxy *proxy, size_t size,
                            const char *source)
{
        char text[ADDRESS_TEXT_MAX];

        if (proxy->outcome != (source ? SNIFF_PROXY_SOURCE : SNIFF_PROXY_NO_SOURCE))
                fail_msg("%s: outcome %d", label, (int)proxy->outcome);
        assert_int_equal(proxy->size, size);
        address_format(&proxy->source, text);
        assert_string_equal(text, source ? source : "::");
}

static void test_good(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                SniffProxy proxy = guarded(good[i].header, good[i].size);
                char longer[256];

                assert_complete(good[i].header, &proxy, good[i].size, good[i].source);
                for (size_t n = 0; n < good[i].size; n++) {
                        proxy = guarded(good[i].header, n);
                        if (proxy.outcome != SNIFF_PROXY_MORE || proxy.need_bytes > good[i].size)
                                fail_msg("%s: %zu bytes: outcome %d, needs %zu", good[i].header, n,
                                         (int)proxy.outcome, proxy.need_bytes);
                }
                /* The client's own bytes do not matter here. */
                memset(longer, '\r', sizeof(longer));
                memcpy(longer, good[i].header, good[i].size);
                for (size_t n = good[i].size + 1; n < good[i].size + 3; n++) {
                        proxy = guarded(longer, n);
                        assert_complete(good[i].header, &proxy, good[i].size, good[i].source);
                }
        }
}

/* Each is malformed with its last byte, and not before. */
static const struct {
        const char *header;
        size_t size;
} bad[] = {
        { S("p") },
        { S("G") },
        { S("\x16") },
        { S("\n") },
        { S("\0") },
        { S("PROXX") },
        { S("PROXY\t") },
        { S("PROXY  ") },
        { S("PROXY t") },
        { S("PROXY TCP5") },
        { S("PROXY TCP4\r") },
        { S("PROXY TCP4  ") },
        { S("PROXY TCP4 x") },
        { S("PROXY TCP4 :") },
        { S("PROXY TCP4 1.2.3 ") },
        { S("PROXY TCP4 1.2.3.4.5 ") },
        { S("PROXY TCP4 1.2.3.256 ") },
        { S("PROXY TCP4 1.2.3.04 ") },
        { S("PROXY TCP4 255.255.255.2555") },
        { S("PROXY TCP4 1.2.3.4\r") },
        { S("PROXY TCP4 1.2.3.4\0") },
        { S("PROXY TCP4 1.2.3.4 \r") },
        { S("PROXY TCP4 1.2.3.4 1.2.3 ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 -") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 +") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 65536 ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 01 ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 00 ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 123456") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1  ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1\r") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1 \r") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1 2 ") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r") },
        { S("PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r") },
        { S("PROXY TCP6 1.2.3.4 ") },
        { S("PROXY TCP6 g") },
        { S("PROXY TCP6 ::%") },
        { S("PROXY TCP6 ::1::2 ") },
        { S("PROXY TCP6 [") },
        { S("PROXY TC4") },
        { S("PROXY UNKNOWNX") },
        { S("PROXY UNKNOWN\n") },
        { S("PROXY UNKNOWN \n") },
        { S("PROXY UNKNOWN x\0") },
        { S("PROXY UNKNOWN x\x7f") },
        { S("PROXY UNKNOWN x\r ") },
        { S(SIGNATURE "\x11") },
        { S(SIGNATURE "\x31") },
        { S(SIGNATURE "\x22") },
        { S(SIGNATURE "\x2f") },
        { S(SIGNATURE "\x21\x01") },
        { S(SIGNATURE "\x21\x10") },
        { S(SIGNATURE "\x21\x12") },
        { S(SIGNATURE "\x21\x22") },
        { S(SIGNATURE "\x21\x31") },
        { S(SIGNATURE "\x21\xff") },
        { S(SIGNATURE "\x21\x11\x00\x0b") },
        { S(SIGNATURE "\x21\x11\x00\x00") },
        { S(SIGNATURE "\x21\x21\x00\x23") },
        { S(SIGNATURE "\x21\x21\x00\x0c") },
        { S("\r\r") },
        { S("\r\n\r\nG") },
        { S("\r\n\r\n\0\r\nQUIT\r") },
};

static void test_bad(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                for (size_t n = 0; n <= bad[i].size; n++) {
                        const SniffProxy proxy = guarded(bad[i].header, n);

                        if (proxy.outcome !=
                            (n < bad[i].size ? SNIFF_PROXY_MORE : SNIFF_PROXY_MALFORMED))
                                fail_msg("%s: %zu of %zu bytes: outcome %d", bad[i].header, n,
                                         bad[i].size, (int)proxy.outcome);
                }
}

/* 107 bytes and no end: as soon as CR LF can't fit any more. */
static void test_line_too_long(void **state)
{
        const char line[] = "PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10 "xxxx\r\n";

        (void)state;
        assert_int_equal(
                guarded(S("PROXY UNKNOWN " X10 X10 X10 X10 X10 X10 X10 X10 X10 "x\r\n")).size, 107);
        for (size_t n = 14; n < sizeof(line); n++)
                assert_int_equal(guarded(line, n).outcome,
                                 n < 106 ? SNIFF_PROXY_MORE : SNIFF_PROXY_MALFORMED);
        assert_int_equal(guarded(line, 105).need_bytes, 107);
}

static void test_longest(void **state)
{
        static uint8_t header[16 + 65535] = SIGNATURE "\x21\x11\xff\xff" V4_BYTES;
        SniffProxy proxy = guarded(header, 16);

        (void)state;
        assert_int_equal(proxy.outcome, SNIFF_PROXY_MORE);
        assert_int_equal(proxy.need_bytes, sizeof(header));
        assert_int_equal(guarded(header, GUARDED_MAX).outcome, SNIFF_PROXY_MORE);
        proxy = sniff_proxy((Span){ .data = header, .size = sizeof(header) });
        assert_complete("longest", &proxy, sizeof(header), "192.0.2.7:4711");
}

/* A header from an untrusted client is neither a hello nor a request, at any length. */
static void test_no_other_parser_takes_it(void **state)
{
        static const char request[] = "GET / HTTP/1.1\r\nHost: alice.example\r\n\r\n";

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                char whole[256];
                Sniff s;

                for (size_t n = 0; n <= good[i].size; n++) {
                        s = sniff(guarded_span(good[i].header, n));
                        assert_true(s.outcome == SNIFF_MORE || s.outcome == SNIFF_MALFORMED);
                }
                memcpy(whole, good[i].header, good[i].size);
                memcpy(whole + good[i].size, request, sizeof(request));
                s = sniff(guarded_span(whole, good[i].size + sizeof(request) - 1));
                if (s.outcome != SNIFF_MALFORMED)
                        fail_msg("%s: outcome %d", good[i].header, (int)s.outcome);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_bad),
                cmocka_unit_test(test_line_too_long),
                cmocka_unit_test(test_longest),
                cmocka_unit_test(test_no_other_parser_takes_it),
        };

        return cmocka_run_group_tests_name("sniff-proxy", tests, NULL, NULL);
}
