/* SPDX-License-Identifier: MIT */
/* Tests of the form of configuration files and of values, on text in memory. */
#include "unit.h"

#include <inttypes.h>

#include "config/instance.h"

#define PATH    "/etc/bellhop/instances/alice.conf"
#define SECTION "[Instance]\n"
#define GOOD    SECTION "Host=a.example\n"

/* Outlives the parsing of one text. */
typedef struct Fixture {
        Config *config;
        SettingsFile file;
        InstanceDraft draft;
} Fixture;

static void fixture_init(Fixture *f)
{
        *f = (Fixture){ .file = { .path = PATH, .key = "Key" } };
        f->config = calloc(1, sizeof(*f->config));
        assert_non_null(f->config);
        f->file.config = f->config;
}

static void fixture_done(Fixture *f)
{
        instance_draft_done(&f->draft);
        f->config = config_free(f->config);
}

static void fixture_parse(Fixture *f, const char *text, size_t size)
{
        fixture_init(f);
        assert_int_equal(instance_draft_parse(&f->draft, &f->file, "alice",
                                              guarded_span(text, size)),
                         0);
        assert_int_equal(f->config->n_problems, f->file.n_problems);
}

static void assert_no_problem(const Fixture *f, const char *label)
{
        if (f->config->n_problems > 0)
                fail_msg("%s: %s", label, f->config->problems[0].text);
}

/* Line 0: the problem is of the file as a whole. */
static void assert_problem(const Fixture *f, size_t n, unsigned line, const char *text)
{
        char place[sizeof(PATH) + 32] = PATH ": ";

        if (n >= f->config->n_problems)
                fail_msg("no problem, not '%s'", text);
        if (line > 0)
                snprintf(place, sizeof(place), PATH ":%u: ", line);
        if (strncmp(f->config->problems[n].text, place, strlen(place)) != 0 ||
            !strstr(f->config->problems[n].text, text))
                fail_msg("'%s', not '%s%s'", f->config->problems[n].text, place, text);
}

static uint32_t find(const Fixture *f, const char *name)
{
        Hostname host;

        assert_int_equal(hostname_parse(span_from_string(name), &host), HOSTNAME_OK);
        return hostmap_find_host(f->draft.routes, &host).instance;
}

static void test_good(void **state)
{
        static const struct {
                const char *text;
                size_t size;
        } cases[] = {
                { S(SECTION "Host=a.example") },
                { S(GOOD) },
                { S("\n\n" GOOD "\n\n") },
                { S("# comment\n; comment\n  # comment\n\t; comment\n" GOOD) },
                { S("#\n;\n" GOOD "#") },
                { S("[Instance] # comment\nHost=a.example # comment\n") },
                { S("[Instance]\t#\nHost=a.example\t# \xc3\xa4 # [x] = y\n") },
                { S(" \t[Instance] \t\n \tHost\t =\t a.example \t\n \t\n") },
                { S(SECTION "Host=b.example\n" SECTION "Host=a.example\n") },
                { S(SECTION "Host=b.example a.example\tc.example  \t d.example\n") },
                { S(SECTION "Host=A.Example.\n") },
                { S(SECTION "Host=*.example\n") },
                { S(GOOD "IdleSec=1\nIdleSec=2\nNetwork=no\nNetwork=yes\n") },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Fixture f;

                fixture_parse(&f, cases[i].text, cases[i].size);
                assert_no_problem(&f, cases[i].text);
                assert_int_equal(find(&f, "a.example"), 0);
                assert_int_equal(find(&f, "comment"), ROUTE_NONE);
                fixture_done(&f);
        }
}

static void test_values(void **state)
{
        Address address;
        Fixture f;

        (void)state;
        fixture_parse(&f, S(SECTION "Default=yes\n"));
        assert_no_problem(&f, "default");
        assert_string_equal(f.draft.instance.name, "alice");
        assert_string_equal(f.draft.instance.file, PATH);
        assert_true(f.draft.instance.is_default);
        assert_int_equal(f.draft.instance.default_line, 2);
        assert_int_equal(f.draft.instance.network, NETWORK_NO);
        assert_false(f.draft.instance.is_suspended);
        assert_int_equal(f.draft.instance.idle_usec, UINT64_C(600000000));
        assert_int_equal(f.draft.instance.mail.per_hour, UINT64_MAX);
        assert_int_equal(f.draft.instance.mail.per_day, UINT64_MAX);
        assert_int_equal(f.draft.instance.mail.recipients_per_day, UINT64_MAX);
        assert_int_equal(hostmap_size(f.draft.routes), 0);
        fixture_done(&f);

        fixture_parse(&f,
                      S(SECTION "Address=192.0.2.7 [2001:db8::7]:443\nAddress=198.51.100.1:80\n"
                                "IdleSec=0\nNetwork=on\nServer=nginx\nDefault=no\nSuspended=yes\n"
                                "MailPerHour=0\nMailPerDay=7\nMailRecipientsPerDay=8\n"));
        assert_no_problem(&f, "addresses");
        assert_false(f.draft.instance.is_default);
        assert_int_equal(f.draft.instance.network, NETWORK_YES);
        assert_int_equal(f.draft.instance.server, SERVER_NGINX);
        assert_true(f.draft.instance.is_suspended);
        assert_int_equal(f.draft.instance.idle_usec, 0);
        assert_int_equal(f.draft.instance.mail.per_hour, 0);
        assert_int_equal(f.draft.instance.mail.per_day, 7);
        assert_int_equal(f.draft.instance.mail.recipients_per_day, 8);
        assert_int_equal(hostmap_size(f.draft.routes), 3);
        assert_true(address_parse(span_from_string("192.0.2.7:4711"), &address));
        assert_int_equal(hostmap_find_address(f.draft.routes, &address).instance, 0);
        fixture_done(&f);
}

static const struct {
        const char *text;
        size_t size;
        unsigned line;
        const char *problem;
} errors[] = {
        { S(""), 0, "no route leads to this instance" },
        { S(SECTION), 0, "no route leads to this instance" },
        { S(SECTION "IdleSec=1\nDefault=no\n"), 0, "no route leads to this instance" },
        { S(GOOD "host=b\n"), 3, "unknown key host=" },
        { S(GOOD "Hosts=b\n"), 3, "; did you mean Host=?" },
        { S(GOOD "Nothing=b\n"), 3,
          "known keys are Host= Address= Default= Canonical= Http= IdleSec= Network= Server= Tls= "
          "Acme= "
          "Suspended= MailPerHour= MailPerDay= MailRecipientsPerDay=" },
        { S(GOOD "=b\n"), 3, "unknown key =" },
        { S(GOOD "SniffMaxBytes=1M\n"), 3, "unknown key SniffMaxBytes=" },
        { S("[instance]\nHost=a\n"), 1, "unknown section [instance]; write [Instance]" },
        { S("[Router]\nHost=a\n"), 1, "unknown section [Router]" },
        { S("[]\nHost=a\n"), 1, "unknown section []" },
        { S("[ Instance ]\nHost=a\n"), 1, "unknown section" },
        { S("\n\nHost=a\n" GOOD), 3, "Host= is before any section; write [Instance]" },
        { S("[Instance\nHost=a\n"), 1, "closing bracket is missing" },
        { S("[\n" GOOD), 1, "closing bracket is missing" },
        { S("[Instance]x\nHost=a\n"), 1, "closing bracket is missing" },
        { S(GOOD "Host b\n"), 3, "neither a [Section] nor Key=Value" },
        { S(SECTION "Host=a \\\nb\n"), 2, "is not a host name" },
        { S(SECTION "Host=\n"), 2, "Host= is empty" },
        { S(SECTION "Host= # a.example\n"), 2, "Host= is empty" },
        { S(SECTION "Host=#a.example\n"), 2, "Host=#a.example is not a host name" },
        { S(SECTION "Host=a#b\n"), 2, "Host=a#b is not a host name" },
        { S(SECTION "Host=a ; b\n"), 2, "Host=; is not a host name" },
        { S(SECTION "Address=\n"), 2, "Address= is empty" },
        { S(GOOD "Default=\n"), 3, "Default= is neither yes nor no" },
        { S(GOOD "Server=\n"), 3, "Server= is neither apache nor nginx" },
        { S(GOOD "Tls=yes\n"), 3, "Tls=yes is neither files nor acme" },
        { S(GOOD "Acme=\n"), 3, "Acme= is not a valid name of an authority" },
        { S(GOOD "Acme=../x\n"), 3, "Acme=../x is not a valid name of an authority" },
        { S(GOOD "Acme=staging.conf\n"), 3,
          "Acme=staging.conf is not a valid name of an authority" },
        { S(GOOD "Server=Nginx\n"), 3, "Server=Nginx is neither apache nor nginx" },
        { S(GOOD "Network=\n"), 3, "Network= is none of no, internet, yes" },
        { S(GOOD "Network=Internet\n"), 3, "Network=Internet is none of no, internet, yes" },
        { S(GOOD "Suspended=maybe\n"), 3, "Suspended=maybe is neither yes nor no" },
        { S(GOOD "IdleSec=\n"), 3, "IdleSec= is not a time span" },
        { S(GOOD "Default=Yes\n"), 3, "Default=Yes is neither" },
        { S(SECTION "Host=a.example,b.example\n"), 2, "is not a host name" },
        { S(SECTION "Host=\"a.example\"\n"), 2, "is not a host name" },
        { S(SECTION "Host=b\xc3\xbc"
                    "cher.example\n"),
          2, "xn--" },
        { S(SECTION "Host=*\n"), 2, "write Default=yes instead" },
        { S(SECTION "Host=*.\n"), 2, "is not a host name" },
        { S(SECTION "Host=*.*.a\n"), 2, "is not a host name" },
        { S(SECTION "Host=a.*.b\n"), 2, "is not a host name" },
        { S(SECTION "Host=*a.b\n"), 2, "is not a host name" },
        { S(SECTION "Host=.a.b\n"), 2, "is not a host name" },
        { S(SECTION "Host=a.example:443\n"), 2, "Host=a.example:443 has a port;" },
        { S(SECTION "Host=192.0.2.7\n"), 2, "Host=192.0.2.7 is an address" },
        { S(SECTION "Host=*.192.0.2.7\n"), 2, "is an address" },
        { S(SECTION "Host=[::1]\n"), 2, "is an address" },
        { S(SECTION "Host=https://a.example/\n"), 2, "Host=https://a.example/ is a URL" },
        { S(SECTION "Address=a.example\n"), 2, "Address=a.example is not an address" },
        { S(SECTION "Address=0.0.0.0:443\n"), 2, "is not an address" },
        { S(GOOD "Host=b A.EXAMPLE.\n"), 3, "twice, first in line 2" },
        { S(SECTION "Host=a a\n"), 2, "Host=a appears twice, first in line 2" },
        { S(GOOD "\nHost=*.a\nHost=*.A\n"), 5, "Host=*.A appears twice, first in line 4" },
        { S(SECTION "Address=192.0.2.7\nAddress=::ffff:192.0.2.7\n"), 3, "twice, first in line 2" },
        { S("[Instance]\r\nHost=a\n"), 1, "CR LF" },
        { S("[Instance]\nHost=a\r\n"), 2, "dos2unix" },
        { S(GOOD "\r\n"), 3, "CR LF" },
        { S(GOOD "# comment\r"), 3, "CR LF" },
        { S(SECTION "Host=a\0b\n"), 2, "control character" },
        { S("\0" GOOD), 1, "control character" },
        { S(GOOD "\0"), 3, "control character" },
        { S(GOOD "# \0 comment\n"), 3, "control character" },
        { S(GOOD "# \033[31m\n"), 3, "control character" },
        { S(GOOD "; \x7f\n"), 3, "control character" },
        { S(SECTION "Host=a\x01\n"), 2, "control character" },
        { S(SECTION "Host=a\vb\n"), 2, "control character" },
        { S("\xef\xbb\xbf" GOOD), 1, "neither a [Section] nor" },
};

static void test_errors(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                Fixture f;

                fixture_parse(&f, errors[i].text, errors[i].size);
                assert_problem(&f, 0, errors[i].line, errors[i].problem);
                fixture_done(&f);
        }
}

/* Not of each of its lines, as if these were to be changed one by one. */
static void test_returns_are_one_mistake(void **state)
{
        static const char text[] = "# by a panel\r\n\r\n[Instance]\r\nHost=a.example b.example\r\n"
                                   "Http=never\r\n; end\r\n";
        Fixture f;

        (void)state;
        fixture_parse(&f, text, strlen(text));
        assert_problem(&f, 0, 1, "CR LF");
        assert_problem(&f, 1, 5, "is none of serve");
        assert_int_equal(f.config->n_problems, 2);
        /* No other instance gets them meanwhile. */
        assert_int_not_equal(find(&f, "a.example"), ROUTE_NONE);
        assert_int_not_equal(find(&f, "b.example"), ROUTE_NONE);
        fixture_done(&f);
}

/* All that is wrong is told at once, in order, and keys of an unknown section are not told one by
 * one. */
static void test_all_errors(void **state)
{
        Fixture f;

        (void)state;
        fixture_parse(&f, S("Host=a\n[Foo]\nHost=a\nBar=b\n" SECTION "Host=-a b -c\nBaz=\n"));
        assert_int_equal(f.config->n_problems, 5);
        assert_problem(&f, 0, 1, "before any section");
        assert_problem(&f, 1, 2, "unknown section");
        assert_problem(&f, 2, 6, "Host=-a");
        assert_problem(&f, 3, 6, "Host=-c");
        assert_problem(&f, 4, 7, "unknown key Baz=");
        fixture_done(&f);
}

static void test_too_many_errors(void **state)
{
        _cleanup_free_ char *text = malloc(GUARDED_MAX);
        Fixture f;

        (void)state;
        assert_non_null(text);
        memset(text, '\n', GUARDED_MAX);
        for (size_t i = 0; i < GUARDED_MAX; i += 2)
                text[i] = 'x';
        fixture_parse(&f, text, GUARDED_MAX);
        assert_int_equal(f.config->n_problems, 20);
        assert_problem(&f, 19, 20, "neither");
        fixture_done(&f);

        fixture_init(&f);
        memcpy(text, SECTION "Host=", strlen(SECTION "Host="));
        for (size_t i = strlen(SECTION "Host="); i + 1 < GUARDED_MAX; i += 2)
                memcpy(text + i, "- ", 2);
        assert_int_equal(instance_draft_parse(&f.draft, &f.file, "alice",
                                              guarded_span(text, GUARDED_MAX)),
                         0);
        assert_int_equal(f.config->n_problems, 20);
        assert_problem(&f, 19, 2, "Host=- is not a host name");
        fixture_done(&f);
}

/* A line may be as long as it likes; what is said of it may not. */
static void test_long_lines(void **state)
{
        _cleanup_free_ char *text = malloc(GUARDED_MAX);
        const size_t begin = strlen(SECTION "Host=");
        char name[32];
        size_t size = begin;
        unsigned n = 0;
        Fixture f;

        (void)state;
        assert_non_null(text);
        memcpy(text, SECTION "Host=", begin);
        while (size < GUARDED_MAX - 32)
                size += (size_t)sprintf(text + size, "h%u.example ", n++);
        fixture_parse(&f, text, size);
        assert_no_problem(&f, "long list");
        assert_int_equal(hostmap_size(f.draft.routes), n);
        snprintf(name, sizeof(name), "h%u.example", n - 1);
        assert_int_equal(find(&f, name), 0);
        fixture_done(&f);

        memset(text + begin, 'a', GUARDED_MAX - begin);
        fixture_parse(&f, text, GUARDED_MAX);
        assert_problem(&f, 0, 2, "is not a host name");
        assert_in_range(strlen(f.config->problems[0].text), 80, 400);
        fixture_done(&f);

        memset(text, 'a', GUARDED_MAX);
        text[GUARDED_MAX - 1] = '=';
        fixture_parse(&f, text, GUARDED_MAX);
        assert_problem(&f, 0, 1, "before any section");
        assert_in_range(strlen(f.config->problems[0].text), 80, 400);
        fixture_done(&f);
}

#define REFUSED UINT64_MAX

typedef struct Quantity {
        const char *text;
        uint64_t value;
} Quantity;

static void check_quantities(int (*parse)(SettingsFile *, Span, void *), const Quantity *cases,
                             size_t n)
{
        for (size_t i = 0; i < n; i++) {
                const bool good = cases[i].value != REFUSED;
                uint64_t value = 4711;
                Fixture f;

                fixture_init(&f);
                assert_int_equal(parse(&f.file, guarded_span(cases[i].text, strlen(cases[i].text)),
                                       &value),
                                 0);
                if (f.config->n_problems != !good || value != (good ? cases[i].value : 4711))
                        fail_msg("'%s': %zu problems, %" PRIu64, cases[i].text,
                                 f.config->n_problems, value);
                fixture_done(&f);
        }
}

static void test_timespan(void **state)
{
        static const Quantity cases[] = {
                { "0", 0 },
                { "1", 1000000 },
                { "007", 7000000 },
                { "5us", 5 },
                { "5ms", 5000 },
                { "5s", 5000000 },
                { "5sec", 5000000 },
                { "5m", 300000000 },
                { "5min", 300000000 },
                { "5h", UINT64_C(18000000000) },
                { "5d", UINT64_C(432000000000) },
                { "1h 30min", UINT64_C(5400000000) },
                { "1h30min", UINT64_C(5400000000) },
                { "1d  2h 3min 4s 5ms 6us", UINT64_C(93784005006) },
                { "18446744073709551614us", UINT64_C(18446744073709551614) },
                { "18446744073709", UINT64_C(18446744073709000000) },
                { "213503982d", UINT64_C(18446744044800000000) },
                { "18446744073710", REFUSED },
                { "18446744073709551616us", REFUSED },
                { "18446744073709551620us", REFUSED },
                { "99999999999999999999999999us", REFUSED },
                { "213503983d", REFUSED },
                { "18446744073709s 551616us", REFUSED },
                { "", REFUSED },
                { "s", REFUSED },
                { "min 1", REFUSED },
                { "-1", REFUSED },
                { "+1", REFUSED },
                { "1.5s", REFUSED },
                { "1S", REFUSED },
                { "1Min", REFUSED },
                { "1M", REFUSED },
                { "1seconds", REFUSED },
                { "1s,2s", REFUSED },
                { "1s\t2s", REFUSED },
                { "0x10", REFUSED },
                { "1e3", REFUSED },
                { "infinity", REFUSED },
        };

        (void)state;
        check_quantities(setting_parse_timespan, cases, ELEMENTSOF(cases));
}

static void test_size(void **state)
{
        static const Quantity cases[] = {
                { "0", 0 },
                { "1", 1 },
                { "64K", 65536 },
                { "1M", 1048576 },
                { "3G", UINT64_C(3221225472) },
                { "1M 1K", 1049600 },
                { "18446744073709551614", UINT64_C(18446744073709551614) },
                { "17179869183G", UINT64_C(18446744072635809792) },
                { "17179869184G", REFUSED },
                { "18446744073709551616", REFUSED },
                { "17179869183G 1073741824", REFUSED },
                { "", REFUSED },
                { "K", REFUSED },
                { "1k", REFUSED },
                { "1KB", REFUSED },
                { "1T", REFUSED },
                { "-1", REFUSED },
                { "1.5M", REFUSED },
        };

        (void)state;
        check_quantities(setting_parse_size, cases, ELEMENTSOF(cases));
}

static void test_count(void **state)
{
        static const Quantity cases[] = {
                { "0", 0 },
                { "1", 1 },
                { "16384", 16384 },
                { "18446744073709551614", UINT64_C(18446744073709551614) },
                { "18446744073709551616", REFUSED },
                { "", REFUSED },
                { "x", REFUSED },
                { "1K", REFUSED },
                { "-1", REFUSED },
                { "1x", REFUSED },
        };

        (void)state;
        check_quantities(setting_parse_count, cases, ELEMENTSOF(cases));
}

/* "16 384" is a way to write one number, and must not become 400. */
static void test_digits_in_groups(void **state)
{
        static const Quantity cases[] = { { "16 384", REFUSED }, { "1 2 3", REFUSED } };

        (void)state;
        check_quantities(setting_parse_count, cases, ELEMENTSOF(cases));
        check_quantities(setting_parse_size, cases, ELEMENTSOF(cases));
        check_quantities(setting_parse_timespan, cases, ELEMENTSOF(cases));
}

static void test_bool(void **state)
{
        static const Quantity cases[] = {
                { "yes", 1 },     { "true", 1 },    { "on", 1 },       { "1", 1 },
                { "no", 0 },      { "false", 0 },   { "off", 0 },      { "0", 0 },
                { "", REFUSED },  { "y", REFUSED }, { "NO", REFUSED }, { "yes yes", REFUSED },
                { "2", REFUSED }, { "o", REFUSED },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (int before = 0; before <= 1; before++) {
                        const bool good = cases[i].value != REFUSED;
                        bool value = before;
                        Fixture f;

                        fixture_init(&f);
                        assert_int_equal(setting_parse_bool(&f.file,
                                                            span_from_string(cases[i].text),
                                                            &value),
                                         0);
                        assert_int_equal(f.config->n_problems, !good);
                        assert_int_equal(value, good ? cases[i].value : (uint64_t)before);
                        fixture_done(&f);
                }
}

static void test_words(void **state)
{
        static const char *const words[] = { "a", "bc", "d=e", "\xc3\xa4" };
        Span list = guarded_span(S(" \ta  bc\td=e \xc3\xa4\t ")), word;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                assert_true(words_next(&list, &word));
                assert_true(span_equals(word, words[i]));
        }
        assert_false(words_next(&list, &word));
        assert_false(words_next(&list, &word));
}

static void test_instance_names(void **state)
{
        static const char *const good[] = {
                "a", "A", "_", "alice", "alice-b_C9", "a-", "a23456789012345678901234567890z"
        };
        static const char *const bad[] = { "",
                                           "-a",
                                           "1",
                                           "9alice",
                                           "a.b",
                                           "a b",
                                           "a@b",
                                           "a/b",
                                           "..",
                                           ".",
                                           "a\n",
                                           "a\xc3\xa4",
                                           "a%",
                                           "a\\",
                                           "a$",
                                           "a:",
                                           "a234567890123456789012345678901z" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (!instance_name_is_valid(good[i]))
                        fail_msg("'%s' was refused", good[i]);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                if (instance_name_is_valid(bad[i]))
                        fail_msg("'%s' was taken", bad[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_errors),
                cmocka_unit_test(test_returns_are_one_mistake),
                cmocka_unit_test(test_all_errors),
                cmocka_unit_test(test_too_many_errors),
                cmocka_unit_test(test_long_lines),
                cmocka_unit_test(test_timespan),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_count),
                cmocka_unit_test(test_digits_in_groups),
                cmocka_unit_test(test_bool),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_instance_names),
        };

        return cmocka_run_group_tests_name("settings", tests, NULL, NULL);
}
