/* SPDX-License-Identifier: MIT */
/* Tests of the ClientHello parser, with hellos of real clients and with built ones. */
#include "sniff-guard.h"
#include "sniff-hellos.h"
#include "util/cleanup.h"

#include <stdlib.h>

enum {
        SERVER_NAME = 0,
        ALPN = 16,
        PADDING = 21,
        KEY_SHARE = 51,
        GREASE = 0x1a1a,
        MAX_HELLO = 131396,
};

typedef struct Bytes {
        uint8_t data[GUARD_SIZE_MAX];
        size_t size;
} Bytes;

typedef struct Extension {
        uint32_t type;
        size_t size;
        const void *data; /* NULL: zeros */
} Extension;

static void put(Bytes *b, const void *data, size_t size)
{
        assert_true(size <= sizeof(b->data) - b->size);
        if (data != NULL)
                memcpy(b->data + b->size, data, size);
        else
                memset(b->data + b->size, 0, size);
        b->size += size;
}

static void put_uint(Bytes *b, size_t size, size_t value)
{
        for (size_t i = size; i-- > 0;)
                put(b, &(uint8_t){ (uint8_t)(value >> 8 * i) }, 1);
}

/* Offsets in the message of hello_begin, which ends where the extensions begin. */
enum {
        AT_SESSION_ID = 4 + 2 + 32,
        AT_SUITES = AT_SESSION_ID + 1 + 32,
        AT_COMPRESSION = AT_SUITES + 2 + 4,
        AT_EXTENSIONS = AT_COMPRESSION + 1 + 1,
};

static void hello_begin(Bytes *b)
{
        b->size = 0;
        put(b, "\x01\0\0\0\x03\x03", 6);
        for (size_t i = 0; i < 32; i++)
                put_uint(b, 1, i * 7);
        put_uint(b, 1, 32);
        put(b, NULL, 32);
        put(b, "\0\x04\x13\x01\x13\x02\x01\0", 8);
        assert_int_equal(b->size, AT_EXTENSIONS);
}

static void hello_end(Bytes *b)
{
        b->data[1] = (uint8_t)((b->size - 4) >> 16);
        b->data[2] = (uint8_t)((b->size - 4) >> 8);
        b->data[3] = (uint8_t)(b->size - 4);
}

static void build_hello(Bytes *b, const Extension *extensions, size_t n)
{
        size_t size = 0;

        hello_begin(b);
        for (size_t i = 0; i < n; i++)
                size += 4 + extensions[i].size;
        put_uint(b, 2, size);
        for (size_t i = 0; i < n; i++) {
                put_uint(b, 2, extensions[i].type);
                put_uint(b, 2, extensions[i].size);
                put(b, extensions[i].data, extensions[i].size);
        }
        hello_end(b);
}

static void build_records(Bytes *to, const uint8_t *message, size_t size, size_t record_size)
{
        to->size = 0;
        for (size_t i = 0; i < size; i += record_size) {
                size_t n = size - i < record_size ? size - i : record_size;

                put(to, "\x16\x03\x01", 3);
                put_uint(to, 2, n);
                put(to, message + i, n);
        }
}

static Bytes message, records;

/* clang-format off */
#define ZEROS(type, size) { (type), (size), NULL }
#define NAME_ALICE        { SERVER_NAME, 18, "\0\x10\0\0\x0d" "alice.example" }
#define ACME              { ALPN, 13, "\0\x0b\x0a" "acme-tls/1" }
#define LOOK_ALIKE        { SERVER_NAME + 0x100, 18, "\0\x10\0\0\x0d" "alice.example" }
/* clang-format on */

static void test_real_hellos(void **state)
{
        static const struct {
                const char *label, *host;
                const uint8_t *data;
                size_t size;
        } cases[] = {
                { "curl", "www.alice.example", hello_curl, sizeof(hello_curl) },
                { "gnutls", "gnutls.alice.example", hello_gnutls, sizeof(hello_gnutls) },
                { "java", "java.alice.example", hello_java, sizeof(hello_java) },
                { "tls10", "old.alice.example", hello_tls10, sizeof(hello_tls10) },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                size_t size = cases[i].size - 5;
                Sniff s = guarded(sniff, cases[i].data, cases[i].size);

                assert_host(cases[i].label, &s, cases[i].host);
                assert_int_equal(s.protocol, BELLHOP_PROTOCOL_TLS);
                assert_prefixes_need_more(cases[i].label, sniff, cases[i].data, cases[i].size);
                for (size_t n = 1; n <= size; n++) {
                        build_records(&records, cases[i].data + 5, size, n);
                        s = guarded(sniff, records.data, records.size);
                        assert_host(cases[i].label, &s, cases[i].host);
                        s = guarded(sniff, records.data, records.size - 1);
                        assert_outcome(cases[i].label, &s, SNIFF_MORE);
                }
                build_records(&records, cases[i].data + 5, size, 3);
                assert_prefixes_need_more(cases[i].label, sniff, records.data, records.size);
        }
}

static void test_extensions(void **state)
{
        static const struct {
                const char *label, *host;
                size_t n;
                Extension extensions[4];
        } cases[] = {
                { "only", "alice.example", 1, { NAME_ALICE } },
                { "first", "alice.example", 3, { NAME_ALICE, ZEROS(10, 4), ZEROS(PADDING, 200) } },
                { "last", "alice.example", 3, { ZEROS(10, 4), ZEROS(PADDING, 200), NAME_ALICE } },
                { "grease",
                  "alice.example",
                  3,
                  { ZEROS(GREASE, 0), NAME_ALICE, ZEROS(GREASE, 1) } },
                { "hybrid key", "alice.example", 2, { ZEROS(KEY_SHARE, 1263), NAME_ALICE } },
                { "16 KB", "alice.example", 2, { ZEROS(PADDING, 16202), NAME_ALICE } },
                { "64 KB", "alice.example", 2, { ZEROS(PADDING, 65000), NAME_ALICE } },
                { "absent", NULL, 2, { ZEROS(GREASE, 0), ZEROS(KEY_SHARE, 36) } },
                { "none", NULL, 0, {} },
                { "look-alike", NULL, 2, { LOOK_ALIKE, ZEROS(1, 1) } },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static const size_t sizes[] = { 1, 7, 255, 16383, 16384 };

                build_hello(&message, cases[i].extensions, cases[i].n);
                for (size_t k = 0; k < ELEMENTSOF(sizes); k++) {
                        Sniff s;

                        build_records(&records, message.data, message.size, sizes[k]);
                        s = guarded(sniff, records.data, records.size);
                        if (cases[i].host != NULL)
                                assert_host(cases[i].label, &s, cases[i].host);
                        else
                                assert_outcome(cases[i].label, &s, SNIFF_NO_HOST);
                        assert_false(s.host_required);
                        s = guarded(sniff, records.data, records.size - 1);
                        assert_outcome(cases[i].label, &s, SNIFF_MORE);
                        assert_int_equal(s.need_bytes, records.size);
                }
                assert_prefixes_need_more(cases[i].label, sniff, records.data, records.size);
        }
}

/* RFC 8737 section 4: acme-tls/1 and no other protocol. */
static void test_alpn(void **state)
{
        static const struct {
                const char *label;
                bool offers_acme;
                size_t n;
                Extension extensions[4];
        } cases[] = {
                /* clang-format off */
                { "alone", true, 2, { NAME_ALICE, ACME } },
                { "in front of the name", true, 3, { ZEROS(GREASE, 0), ACME, NAME_ALICE } },
                { "none", false, 1, { NAME_ALICE } },
                { "twice", false, 3, { NAME_ALICE, ACME, ACME } },
                { "then another list", false, 3, { ACME, { ALPN, 5, "\0\3\2h2" }, NAME_ALICE } },
                { "empty", false, 2, { NAME_ALICE, { ALPN, 0, "" } } },
                { "h2", false, 2, { NAME_ALICE, { ALPN, 5, "\0\3\2h2" } } },
                { "of its length", false, 2, { NAME_ALICE, { ALPN, 13, "\0\x0b\x0a" "acme-tls/2" } } },
                { "in capitals", false, 2, { NAME_ALICE, { ALPN, 13, "\0\x0b\x0a" "ACME-TLS/1" } } },
                { "with h2 behind", false, 2, { NAME_ALICE, { ALPN, 16, "\0\x0e\x0a" "acme-tls/1" "\2h2" } } },
                { "with h2 in front", false, 2, { NAME_ALICE, { ALPN, 16, "\0\x0e\2h2" "\x0a" "acme-tls/1" } } },
                { "twice in a list", false, 2, { NAME_ALICE, { ALPN, 24, "\0\x16\x0a" "acme-tls/1" "\x0a" "acme-tls/1" } } },
                { "longer", false, 2, { NAME_ALICE, { ALPN, 14, "\0\x0c\x0b" "acme-tls/1x" } } },
                { "list too short", false, 2, { NAME_ALICE, { ALPN, 13, "\0\x0a\x0a" "acme-tls/1" } } },
                { "name too long", false, 2, { NAME_ALICE, { ALPN, 13, "\0\x0b\x0b" "acme-tls/1" } } },
                { "in another extension", false, 2, { NAME_ALICE, { GREASE, 13, "\0\x0b\x0a" "acme-tls/1" } } },
                /* clang-format on */
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                build_hello(&message, cases[i].extensions, cases[i].n);
                for (size_t n = 1; n < 64; n++) {
                        Sniff s;

                        build_records(&records, message.data, message.size, n);
                        s = guarded(sniff, records.data, records.size);
                        assert_host(cases[i].label, &s, "alice.example");
                        if (s.offers_acme != cases[i].offers_acme)
                                fail_msg("%s: %d", cases[i].label, s.offers_acme);
                        s = guarded(sniff, records.data, records.size - 1);
                        assert_false(s.offers_acme);
                }
        }
}

static void test_without_extension_block(void **state)
{
        Sniff s;

        (void)state;
        hello_begin(&message);
        hello_end(&message);
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_outcome("no block", &s, SNIFF_NO_HOST);
        assert_int_equal(s.protocol, BELLHOP_PROTOCOL_TLS);
        assert_prefixes_need_more("no block", sniff, records.data, records.size);

        /* One byte is not a block. */
        put_uint(&message, 1, 0);
        hello_end(&message);
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_outcome("half a length", &s, SNIFF_MALFORMED);
}

static void test_smallest_hello(void **state)
{
        Sniff s;

        (void)state;
        message.size = 0;
        put(&message, "\x01\0\0\x29\x03\x01", 6);
        put(&message, NULL, 32 + 1);
        put(&message, "\0\x02\0\x2f\x01\0", 6);
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_outcome("smallest", &s, SNIFF_NO_HOST);
        s = guarded(sniff, records.data, 1);
        assert_int_equal(s.need_bytes, records.size);
        records.data[8]--;
        s = guarded(sniff, records.data, 9);
        assert_outcome("smaller", &s, SNIFF_MALFORMED);
}

static void test_server_name_rules(void **state)
{
        static const struct {
                const char *label;
                SniffOutcome outcome;
                size_t size;
                const char *data;
        } cases[] = {
                { "valid", SNIFF_HOST, 6, "\0\4\0\0\1a" },
                { "any byte", SNIFF_HOST, 9, "\0\7\0\0\4\xff\n a" },
                { "no list", SNIFF_MALFORMED, 0, "" },
                { "empty list", SNIFF_MALFORMED, 2, "\0\0" },
                { "empty name", SNIFF_MALFORMED, 5, "\0\3\0\0\0" },
                { "NUL in name", SNIFF_MALFORMED, 8, "\0\6\0\0\3a\0b" },
                { "NUL at end", SNIFF_MALFORMED, 7, "\0\5\0\0\2a\0" },
                { "two names", SNIFF_MALFORMED, 10, "\0\x8\0\0\1a\0\0\1b" },
                { "name of other type", SNIFF_MALFORMED, 6, "\0\4\1\0\1a" },
                { "other type after", SNIFF_MALFORMED, 10, "\0\x8\0\0\1a\1\0\1b" },
                { "list too long", SNIFF_MALFORMED, 6, "\0\5\0\0\1a" },
                { "list too short", SNIFF_MALFORMED, 6, "\0\3\0\0\1a" },
                { "name too long", SNIFF_MALFORMED, 6, "\0\4\0\0\2a" },
                { "name too short", SNIFF_MALFORMED, 7, "\0\5\0\0\1ab" },
                { "bytes after the list", SNIFF_MALFORMED, 7, "\0\4\0\0\1ab" },
                { "rest like an extension", SNIFF_MALFORMED, 10, "\0\x8\0\0\1a\x15\x15\0\0" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Extension e[] = { { SERVER_NAME, cases[i].size, cases[i].data },
                                  ZEROS(PADDING, 9) };

                build_hello(&message, e, ELEMENTSOF(e));
                for (size_t n = 1; n < 12; n++) {
                        Sniff s;

                        build_records(&records, message.data, message.size, n);
                        s = guarded(sniff, records.data, records.size);
                        assert_outcome(cases[i].label, &s, cases[i].outcome);
                }
        }
}

static void test_server_name_length(void **state)
{
        (void)state;
        for (size_t length = 250; length < 260; length++) {
                uint8_t data[5 + 260] = { (uint8_t)((length + 3) >> 8), (uint8_t)(length + 3), 0,
                                          (uint8_t)(length >> 8), (uint8_t)length };
                Extension e = { SERVER_NAME, 5 + length, data };
                Sniff s;

                memset(data + 5, 'x', length);
                build_hello(&message, &e, 1);
                build_records(&records, message.data, message.size, 16384);
                s = guarded(sniff, records.data, records.size);
                assert_outcome("length", &s, length <= 255 ? SNIFF_HOST : SNIFF_MALFORMED);
                if (length <= 255)
                        assert_int_equal(s.host_length, length);
        }
}

static void test_duplicate_server_name(void **state)
{
        static const Extension same[] = { NAME_ALICE, NAME_ALICE };
        static const Extension apart[] = { NAME_ALICE,
                                           ZEROS(PADDING, 3),
                                           { SERVER_NAME, 6, "\0\4\0\0\1b" } };
        Sniff s;

        (void)state;
        build_hello(&message, same, ELEMENTSOF(same));
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_outcome("same", &s, SNIFF_MALFORMED);
        build_hello(&message, apart, ELEMENTSOF(apart));
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_outcome("apart", &s, SNIFF_MALFORMED);
}

/* A wrong field is known as soon as it is there, and not before. */
static void test_wrong_fields(void **state)
{
        enum { R = 5, E = R + AT_EXTENSIONS };
        static const struct {
                const char *label;
                size_t at, size, value;
        } cases[] = {
                { "alert record", 0, 1, 21 },
                { "major version 2", 1, 1, 2 },
                { "major version 4", 1, 1, 4 },
                { "empty record", 3, 2, 0 },
                { "record of 16385", 3, 2, 16385 },
                { "record of 65535", 3, 2, 65535 },
                { "server hello", R, 1, 2 },
                { "hello request", R, 1, 0 },
                { "hello of 40", R + 1, 3, 40 },
                { "hello of 131397", R + 1, 3, MAX_HELLO + 1 },
                { "session id of 33", R + AT_SESSION_ID, 1, 33 },
                { "no suites", R + AT_SUITES, 2, 0 },
                { "odd suites", R + AT_SUITES, 2, 5 },
                { "no compression", R + AT_COMPRESSION, 1, 0 },
                { "extensions too short", E, 2, 25 },
                { "extensions too long", E, 2, 27 },
                { "extension too long", E + 4, 2, 23 },
        };
        static const Extension e[] = { NAME_ALICE, ZEROS(GREASE, 0) };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s;

                build_hello(&message, e, ELEMENTSOF(e));
                build_records(&records, message.data, message.size, 16384);
                s = guarded(sniff, records.data, records.size);
                assert_host(cases[i].label, &s, "alice.example");
                for (size_t k = 0; k < cases[i].size; k++)
                        records.data[cases[i].at + k] =
                                (uint8_t)(cases[i].value >> 8 * (cases[i].size - 1 - k));
                for (size_t n = 1; n <= records.size; n++) {
                        s = guarded(sniff_tls, records.data, n);
                        if (n <= cases[i].at)
                                assert_outcome(cases[i].label, &s, SNIFF_MORE);
                        else if (n >= cases[i].at + cases[i].size)
                                assert_outcome(cases[i].label, &s, SNIFF_MALFORMED);
                        assert_int_equal(s.protocol, BELLHOP_PROTOCOL_TLS);
                }
        }
}

/* A vector that would reach over the end of the hello. */
static void test_vectors_beyond_the_end(void **state)
{
        static const struct {
                const char *label;
                size_t at, size, value;
        } cases[] = {
                { "suites", 5 + AT_SUITES, 2, 65534 },
                { "compression", 5 + AT_COMPRESSION, 1, 255 },
                { "extension of 65535", 5 + AT_EXTENSIONS + 4, 2, 65535 },
        };
        static const Extension e[] = { NAME_ALICE };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s;

                build_hello(&message, e, ELEMENTSOF(e));
                build_records(&records, message.data, message.size, 16384);
                for (size_t k = 0; k < cases[i].size; k++)
                        records.data[cases[i].at + k] =
                                (uint8_t)(cases[i].value >> 8 * (cases[i].size - 1 - k));
                s = guarded(sniff, records.data, cases[i].at + cases[i].size);
                assert_outcome(cases[i].label, &s, SNIFF_MALFORMED);
        }
}

static void test_records_in_the_middle(void **state)
{
        static const struct {
                const char *label;
                SniffOutcome outcome;
                uint8_t header[5];
        } cases[] = {
                { "valid", SNIFF_MORE, { 22, 3, 3, 0, 1 } },
                { "empty", SNIFF_MALFORMED, { 22, 3, 1, 0, 0 } },
                { "change cipher spec", SNIFF_MALFORMED, { 20, 3, 3, 0, 1 } },
                { "alert", SNIFF_MALFORMED, { 21, 3, 3, 0, 2 } },
                { "application data", SNIFF_MALFORMED, { 23, 3, 3, 0, 1 } },
                { "SSL 2.0", SNIFF_MALFORMED, { 22, 2, 0, 0, 1 } },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s;

                build_records(&records, hello_curl + 5, 100, 100);
                put(&records, cases[i].header, 5);
                s = guarded(sniff, records.data, records.size);
                assert_outcome(cases[i].label, &s, cases[i].outcome);
        }
}

static void test_what_follows_the_hello(void **state)
{
        static const char *const cases[] = {
                "\x14\x03\x03\0\x01\x01",           /* change cipher spec, as before early data */
                "\x17\x03\x03\x40\0early data",     /* announced, not there */
                "\x16\x03\x03\0\0",                 /* would be malformed in front */
                "GET / HTTP/1.1\r\nHost: b\r\n\r\n" /* not TLS at all */
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Sniff s;

                records.size = 0;
                put(&records, hello_curl, sizeof(hello_curl));
                for (size_t n = 0; n < 6; n++) {
                        put(&records, cases[i] + n, 1);
                        s = guarded(sniff, records.data, records.size);
                        assert_host("followed", &s, "www.alice.example");
                }
        }
}

/* The record that holds the end of the hello is waited for: OpenSSL reads no less. */
static void test_more_in_the_last_record(void **state)
{
        static const Extension e[] = { NAME_ALICE };
        Sniff s;

        (void)state;
        build_hello(&message, e, ELEMENTSOF(e));
        put(&message, NULL, 100);
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_host("last record", &s, "alice.example");
        assert_prefixes_need_more("last record", sniff, records.data, records.size);
        s = guarded(sniff, records.data, records.size - 100);
        assert_int_equal(s.need_bytes, records.size);
}

static size_t count_calls(const Bytes *b)
{
        size_t n_calls = 1;
        Sniff s = guarded(sniff, b->data, 0);

        while (s.outcome == SNIFF_MORE) {
                assert_true(s.need_bytes <= b->size);
                s = guarded(sniff, b->data, s.need_bytes);
                n_calls++;
        }
        assert_outcome("calls", &s, SNIFF_HOST);
        return n_calls;
}

/* Each wait brings at least a sixth of what is missing: log(n) / log(6 / 5) calls. */
static void test_calls_for_tiny_records(void **state)
{
        (void)state;
        for (size_t n = 64, log2_n = 6; n <= 32768; n *= 2, log2_n++) {
                Extension e[] = { ZEROS(PADDING, n), NAME_ALICE };

                build_hello(&message, e, ELEMENTSOF(e));
                build_records(&records, message.data, message.size, 1);
                assert_in_range(count_calls(&records), 5, 4 * (log2_n + 4));
                build_records(&records, message.data, message.size, 16384);
                assert_in_range(count_calls(&records), 3, 5);
        }
}

/* Every vector as long as its type allows: the limit takes no valid hello away. */
static void test_largest_hello(void **state)
{
        Sniff s;

        (void)state;
        message.size = 0;
        put(&message, "\x01\x02\x01\x44\x03\x03", 6);
        put(&message, NULL, 32);
        put_uint(&message, 1, 32);
        put(&message, NULL, 32);
        put_uint(&message, 2, 65534);
        put(&message, NULL, 65534);
        put_uint(&message, 1, 255);
        put(&message, NULL, 255);
        put_uint(&message, 2, 65535);
        put(&message, "\0\x15\xff\xe5", 4);
        put(&message, NULL, 65535 - 8 - 18);
        put(&message, "\0\0\0\x12\0\x10\0\0\x0d", 9);
        put(&message, "alice.example", 13);
        assert_int_equal(message.size, 4 + MAX_HELLO);
        build_records(&records, message.data, message.size, 16384);
        s = guarded(sniff, records.data, records.size);
        assert_host("largest", &s, "alice.example");
        build_records(&records, message.data, message.size, 1);
        s = guarded(sniff, records.data, records.size);
        assert_host("largest in bytes", &s, "alice.example");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_real_hellos),
                cmocka_unit_test(test_extensions),
                cmocka_unit_test(test_alpn),
                cmocka_unit_test(test_without_extension_block),
                cmocka_unit_test(test_smallest_hello),
                cmocka_unit_test(test_server_name_rules),
                cmocka_unit_test(test_server_name_length),
                cmocka_unit_test(test_duplicate_server_name),
                cmocka_unit_test(test_wrong_fields),
                cmocka_unit_test(test_vectors_beyond_the_end),
                cmocka_unit_test(test_records_in_the_middle),
                cmocka_unit_test(test_what_follows_the_hello),
                cmocka_unit_test(test_more_in_the_last_record),
                cmocka_unit_test(test_calls_for_tiny_records),
                cmocka_unit_test(test_largest_hello),
        };

        return cmocka_run_group_tests_name("sniff-tls", tests, NULL, NULL);
}
