/* SPDX-License-Identifier: MIT */
/*
 * The ClientHello parser against OpenSSL, which every instance has: the same bytes have the same
 * server name for both, or both refuse. Two tables list differences by design, each row with its
 * reason; anything else fails.
 */
#include <dirent.h>
#include <errno.h>

#include "openssl-judge.h"
#include "sniff-guard.h"
#include "tls-mutate.h"

#define N_MUTANTS  60000
#define INPUTS_MAX 4096

typedef struct Input {
        char *name;
        uint8_t *data;
        size_t size;
} Input;

static Input inputs[INPUTS_MAX];
static size_t n_inputs;
static size_t n_outcomes[SNIFF_MALFORMED + 1], n_stricter, n_later;

/*
 * We accept and OpenSSL refuses, so nobody is served: an extension doubled, in the wrong message,
 * or pre_shared_key not last. That is none of our business, as long as it is not the server name.
 */
static bool is_instances_business(Span in, const Judgement *j)
{
        static Hello hello;
        size_t n_server_names = 0;

        if (j->stage != STAGE_REFUSED || j->reason != SSL_R_BAD_EXTENSION ||
            !hello_read(in, &hello))
                return false;
        for (size_t i = 0; i < hello.n_extensions; i++)
                if (hello.extensions[i].data[0] == 0 && hello.extensions[i].data[1] == 0)
                        n_server_names++;
        return n_server_names <= 1;
}

/* OpenSSL looks at the lengths of some fields only when it uses them. */
static bool is_structure(int reason)
{
        return reason == SSL_R_ERROR_IN_RECEIVED_CIPHER_LIST ||
               reason == SSL_R_NO_CIPHERS_SPECIFIED;
}

/* --- we refuse and OpenSSL accepts --- */

/* SSL 2.0 may carry a hello of later versions, but no name: RFC 6101 appendix E.1. */
static bool is_ssl2(Span in, const Judgement *j)
{
        return (in.data[0] & 0x80) != 0 && !j->has_extension;
}

/* RFC 6066 section 3: a name has at least one byte. OpenSSL takes it as a name of no byte. */
static bool is_empty_name(const Judgement *j)
{
        return j->has_extension && j->has_name && j->name_length == 0;
}

/* RFC 8446 section 5.1: no handshake record is empty. OpenSSL bears some between two others. */
static bool has_empty_record(Span in)
{
        Span header, body;

        while (span_take(&in, RECORD_HEADER_SIZE, &header)) {
                const size_t size = (size_t)header.data[3] << 8 | header.data[4];

                if (size == 0)
                        return true;
                if (!span_take(&in, size, &body))
                        return false;
        }
        return false;
}

static bool is_stricter_by_design(Span in, const Judgement *j)
{
        return is_ssl2(in, j) || is_empty_name(j) || has_empty_record(in);
}

/* --- comparing --- */

static void differ(const char *label, Span in, const Sniff *s, const Judgement *j)
{
        FILE *f = fopen("sniff-openssl-differs", "we");

        if (f) {
                (void)fwrite(in.data, 1, in.size, f);
                (void)fclose(f);
        }
        fail_msg("%s (kept as ./sniff-openssl-differs): outcome %d '%.*s', but OpenSSL: stage %d "
                 "'%s', "
                 "reason %d %s",
                 label, (int)s->outcome, (int)s->host_length, (const char *)s->host, (int)j->stage,
                 j->has_name ? j->name : "", j->reason,
                 ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, j->reason)));
}

static bool is_same_name(const Sniff *s, const Judgement *j)
{
        return s->outcome == SNIFF_HOST ? j->has_name && j->name_length == s->host_length &&
                                                  memcmp(j->name, s->host, s->host_length) == 0
                                        : !j->has_name;
}

/* To what is refused already, bytes that let OpenSSL come to an end: zeros, in records. */
static void judge_completed(Span in, Judgement *j)
{
        static uint8_t longer[MUTANT_MAX + 12 * (16384 + RECORD_HEADER_SIZE)];
        Span rest = in, header, body;
        size_t size = in.size;

        memset(longer, 0, sizeof(longer));
        memcpy(longer, in.data, in.size);
        while (span_take(&rest, RECORD_HEADER_SIZE, &header)) {
                const size_t record_size = (size_t)header.data[3] << 8 | header.data[4];

                if (!span_take(&rest, record_size, &body)) {
                        size += record_size - rest.size;
                        break;
                }
        }
        for (size_t n = 0; j->stage == STAGE_MORE && n <= 9; n++) {
                judge((Span){ .data = longer, .size = size }, j);
                memcpy(longer + size, (uint8_t[]){ 22, 3, 1, 0x40, 0 }, RECORD_HEADER_SIZE);
                size += RECORD_HEADER_SIZE + 16384;
        }
}

static void compare(const char *label, Span in)
{
        static Judgement j;
        Sniff s = sniff(in);
        bool same = false;

        judge(in, &j);
        n_outcomes[s.outcome]++;
        /* No request of HTTP is a hello. */
        if (s.protocol != BELLHOP_PROTOCOL_TLS)
                s.outcome = SNIFF_MALFORMED;
        switch (s.outcome) {
        case SNIFF_HOST:
        case SNIFF_NO_HOST:
                same = j.stage == STAGE_NAME && is_same_name(&s, &j) && !is_structure(j.reason) &&
                       s.offers_acme == j.offers_acme;
                if (!same && is_instances_business(in, &j)) {
                        n_later++;
                        return;
                }
                break;
        case SNIFF_MALFORMED:
                if (j.stage == STAGE_MORE)
                        judge_completed(in, &j);
                same = !j.goes_on && j.stage != STAGE_MORE;
                if (!same && is_stricter_by_design(in, &j)) {
                        n_stricter++;
                        return;
                }
                break;
        case SNIFF_MORE:
                same = j.stage == STAGE_MORE;
                break;
        }
        if (!same)
                differ(label, in, &s, &j);
}

/* --- inputs --- */

static void read_input(const char *folder, const char *name, Input *to)
{
        char *path = NULL;
        FILE *f;
        long size;

        assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
        f = fopen(path, "re");
        assert_non_null(f);
        assert_int_equal(fseek(f, 0, SEEK_END), 0);
        size = ftell(f);
        assert_true(size >= 0);
        rewind(f);
        to->size = (size_t)size;
        to->data = malloc(to->size + 1);
        to->name = strdup(name);
        assert_true(to->data && to->name);
        assert_int_equal(fread(to->data, 1, to->size, f), to->size);
        (void)fclose(f);
        free(path);
}

static int read_inputs(void **state)
{
        struct dirent **entries;
        const int n = scandir(TLS_CORPUS, &entries, NULL, alphasort);

        assert_in_range(n, 3, INPUTS_MAX);
        for (int i = 0; i < n; i++) {
                if (entries[i]->d_name[0] != '.')
                        read_input(TLS_CORPUS, entries[i]->d_name, &inputs[n_inputs++]);
                free(entries[i]);
        }
        free(entries);
        return 0;
}

static int free_inputs(void **state)
{
        for (size_t i = 0; i < n_inputs; i++) {
                free(inputs[i].name);
                free(inputs[i].data);
        }
        SSL_CTX_free(judge_context());
        return 0;
}

static Span span_of(const Input *input)
{
        return (Span){ .data = input->data, .size = input->size };
}

static const Input *find_input(const char *name)
{
        for (size_t i = 0; i < n_inputs; i++)
                if (strcmp(inputs[i].name, name) == 0)
                        return &inputs[i];
        fail_msg("%s/%s is missing", TLS_CORPUS, name);
        abort();
}

/* --- tests --- */

static void test_corpus(void **state)
{
        for (size_t i = 0; i < n_inputs; i++)
                if (inputs[i].size > 0)
                        compare(inputs[i].name, span_of(&inputs[i]));
}

/* With type and length, so 0 where there is none. */
static size_t extension_size(const Hello *hello, unsigned type)
{
        for (size_t i = 0; i < hello->n_extensions; i++) {
                const uint8_t *data = hello->extensions[i].data;

                if (((unsigned)data[0] << 8 | data[1]) == type)
                        return hello->extensions[i].size;
        }
        return 0;
}

/* What tests/record-hellos has recorded: the name, and the extension for which it was recorded. */
static void test_real_clients(void **state)
{
        enum { TICKET = 35, PRE_SHARED_KEY = 41, EARLY_DATA = 42, KEY_SHARE = 51, ECH = 0xfe0d };
        static const struct {
                const char *file, *host;
                struct {
                        unsigned type; /* 0: none */
                        size_t size_min;
                } extensions[2];
        } cases[] = {
                /* clang-format off */
                { "real-chromium-156.0.8078.79-default", "chromium.alice.example", { { KEY_SHARE, 1200 }, { ECH, 100 } } },
                { "real-chromium-156.0.8078.79-tls12", "chromium.alice.example", {} },
                { "real-curl", "www.alice.example", {} },
                { "real-curl-7.88.1-h2", "curl.alice.example", {} },
                { "real-curl-7.88.1-http11", "curl.alice.example", {} },
                { "real-curl-7.88.1-no-alpn", "curl.alice.example", {} },
                { "real-firefox-153.7.0-default", "firefox.alice.example", { { KEY_SHARE, 1200 }, { ECH, 100 } } },
                { "real-gnutls", "gnutls.alice.example", {} },
                { "real-gnutls-3.7.9-default", "gnutls.alice.example", {} },
                { "real-gnutls-3.7.9-no-sni", NULL, {} },
                { "real-gnutls-3.7.9-resume", "gnutls.alice.example", { { PRE_SHARED_KEY, 90 } } },
                { "real-gnutls-3.7.9-tls12", "gnutls.alice.example", {} },
                { "real-java", "java.alice.example", {} },
                { "real-node", "node.alice.example", {} },
                { "real-nss-3.87.1-default", "nss.alice.example", {} },
                { "real-nss-3.87.1-ech-grease", "nss.alice.example", { { ECH, 80 } } },
                { "real-openssl-3.0.22-early-data", "openssl.alice.example", { { EARLY_DATA, 4 }, { PRE_SHARED_KEY, 90 } } },
                { "real-openssl-3.0.22-many-alpn", "openssl.alice.example", { { 16, 2000 } } },
                { "real-openssl-3.0.22-no-sni", NULL, {} },
                { "real-openssl-3.0.22-psk-tls13", "openssl.alice.example", { { PRE_SHARED_KEY, 90 } } },
                { "real-openssl-3.0.22-status", "openssl.alice.example", {} },
                { "real-openssl-3.0.22-ticket-tls12", "openssl.alice.example", { { TICKET, 100 } } },
                { "real-openssl-3.0.22-tls12", "openssl.alice.example", {} },
                { "real-openssl-3.0.22-tls13", "openssl.alice.example", {} },
                { "real-openssl-nosni", NULL, {} },
                { "real-openssl-tls10", "old.alice.example", {} },
                { "real-openssl-tls12", "www.alice.example", {} },
                { "real-openssl-tls13", "www.alice.example", {} },
                { "real-python", "py.alice.example", {} },
                { "real-python-3.11.2-default", "python.alice.example", {} },
                { "real-wget-1.21.3-default", "localhost", {} },
                /* clang-format on */
        };
        static Hello hello;
        size_t n_real = 0;

        for (size_t i = 0; i < n_inputs; i++)
                n_real += strncmp(inputs[i].name, "real-", 5) == 0;
        assert_int_equal(n_real, ELEMENTSOF(cases));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Input *input = find_input(cases[i].file);
                const Sniff s = sniff(span_of(input));

                if (cases[i].host)
                        assert_host(cases[i].file, &s, cases[i].host);
                else
                        assert_outcome(cases[i].file, &s, SNIFF_NO_HOST);
                assert_true(hello_read(span_of(input), &hello));
                for (size_t k = 0; k < ELEMENTSOF(cases[i].extensions); k++)
                        if (cases[i].extensions[k].type != 0 &&
                            extension_size(&hello, cases[i].extensions[k].type) <
                                    cases[i].extensions[k].size_min)
                                fail_msg("%s: extension %u", cases[i].file,
                                         cases[i].extensions[k].type);
        }
}

/* Fills in what an OpenSSL client of that version says first. */
static size_t hello_of_openssl(int version, const char *protocols, uint8_t *ret, size_t size)
{
        SSL_CTX *context = SSL_CTX_new(TLS_client_method());
        SSL *ssl = SSL_new(context);
        BIO *from = BIO_new(BIO_s_mem()), *to = BIO_new(BIO_s_mem());
        int n;

        assert_true(ssl && from && to);
        assert_int_equal(SSL_set_max_proto_version(ssl, version), 1);
        assert_int_equal(SSL_set_tlsext_host_name(ssl, "alice.example"), 1);
        /* It returns 0 if it has worked. */
        if (protocols)
                assert_int_equal(SSL_set_alpn_protos(ssl, (const unsigned char *)protocols,
                                                     (unsigned)strlen(protocols)),
                                 0);
        SSL_set_bio(ssl, from, to);
        assert_int_not_equal(SSL_connect(ssl), 1);
        n = BIO_read(to, ret, (int)size);
        assert_true(n > 0);
        SSL_free(ssl);
        SSL_CTX_free(context);
        ERR_clear_error();
        return (size_t)n;
}

static void test_alpn_of_openssl(void **state)
{
        static const struct {
                const char *protocols;
                bool offers_acme;
        } cases[] = {
                { NULL, false },
                { "\x0a"
                  "acme-tls/1",
                  true },
                { "\x0a"
                  "acme-tls/1\2h2",
                  false },
                { "\2h2\x0a"
                  "acme-tls/1",
                  false },
                { "\x0a"
                  "acme-tls/2",
                  false },
                { "\2h2\x08http/1.1", false },
        };
        static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
        uint8_t hello[4096];

        for (size_t i = 0; i < 2 * ELEMENTSOF(cases); i++) {
                const size_t size = hello_of_openssl(versions[i % 2], cases[i / 2].protocols, hello,
                                                     sizeof(hello));
                const Sniff s = sniff((Span){ .data = hello, .size = size });

                assert_host("alpn", &s, "alice.example");
                if (s.offers_acme != cases[i / 2].offers_acme)
                        fail_msg("case %zu: %d", i, s.offers_acme);
                compare("alpn", (Span){ .data = hello, .size = size });
        }
}

/* One mistake each, so that it does not matter what is looked at first. */
static void test_alerts(void **state)
{
        static const struct {
                const char *label;
                size_t at; /* in "real-curl" */
                uint8_t byte, alert;
        } cases[] = {
                { "a record of another type", 0, 23, 10 },
                { "a record that is too long", 3, 0x50, 22 },
                { "another message", 5, 2, 10 },
                { "a message that is too long", 6, 3, 47 },
                { "a session id that is too long", 43, 33, 50 },
                { "half a suite", 77, 61, 50 },
                { "extensions beyond the end", 142, 2, 50 },
                { "a list of names beyond its extension", 149, 0x15, 50 },
                { "NUL in the name", 155, 0, 112 },
                { "two server names", 171, 0, 47 },
        };
        static Judgement j;
        uint8_t hello[1024];
        const Input *input = find_input("real-curl");

        assert_in_range(input->size, 200, sizeof(hello));
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Span in = { hello, input->size };
                Sniff s;

                memcpy(hello, input->data, input->size);
                hello[cases[i].at] = cases[i].byte;
                s = sniff(in);
                judge(in, &j);
                assert_outcome(cases[i].label, &s, SNIFF_MALFORMED);
                if (s.alert != (cases[i].alert == 50 ? 0 : cases[i].alert) ||
                    j.alert != cases[i].alert)
                        fail_msg("%s: alert %u, OpenSSL's %u", cases[i].label, s.alert, j.alert);
        }
}

static void test_mutants(void **state)
{
        static Mutant mutant;
        Random random = { .state = 20261123 };
        char label[64];

        memset(n_outcomes, 0, sizeof(n_outcomes));
        for (size_t i = 0; i < N_MUTANTS; i++) {
                const Input *a = &inputs[below(&random, n_inputs)];
                const Input *b = &inputs[below(&random, n_inputs)];

                if (a->size > MUTANT_MAX / 4)
                        continue;
                mutate(&random, span_of(a), span_of(b), &mutant);
                snprintf(label, sizeof(label), "mutant %zu", i);
                if (mutant.size > 0)
                        compare(label, (Span){ .data = mutant.data, .size = mutant.size });
        }
        print_message(
                "# host %zu, none %zu, malformed %zu, more %zu; stricter %zu, refused later %zu\n",
                n_outcomes[SNIFF_HOST], n_outcomes[SNIFF_NO_HOST], n_outcomes[SNIFF_MALFORMED],
                n_outcomes[SNIFF_MORE], n_stricter, n_later);
        /* A mutation that only ever breaks things would compare nothing. */
        for (size_t i = 0; i < ELEMENTSOF(n_outcomes); i++)
                assert_true(n_outcomes[i] > N_MUTANTS / 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_corpus),          cmocka_unit_test(test_real_clients),
                cmocka_unit_test(test_alpn_of_openssl), cmocka_unit_test(test_alerts),
                cmocka_unit_test(test_mutants),
        };

        return cmocka_run_group_tests(tests, read_inputs, free_inputs);
}
