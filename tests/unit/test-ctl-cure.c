/* SPDX-License-Identifier: MIT */
/* The commands that mend lines: each is run by a shell on a file, and the file is then right. */
#include "unit.h"

#include <stdlib.h>

#include "ctl/check/advice.h"
#include "ctl/check/findings.h"
#include "ctl/show/text.h"

static char folder[64], file[128];

static int setup(void **state)
{
        snprintf(folder, sizeof(folder), "/tmp/bellhop-unit-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        /* A name that must be quoted; of an instance. */
        snprintf(file, sizeof(file), "%s/it's a folder/instances", folder);
        {
                char command[256];

                snprintf(command, sizeof(command), "mkdir -p \"%s\"", file);
                if (system(command) != 0)
                        return -1;
        }
        strcat(file, "/alice.conf");
        return 0;
}

static int teardown(void **state)
{
        char command[128];

        snprintf(command, sizeof(command), "rm -r %s", folder);
        return system(command);
}

static void put(const char *text)
{
        FILE *out = fopen(file, "we");

        assert_non_null(out);
        fputs(text, out);
        assert_int_equal(fclose(out), 0);
}

static void assert_content(const char *path, const char *expected)
{
        FILE *in = fopen(path, "re");
        char text[512];
        size_t size;

        assert_non_null(in);
        size = fread(text, 1, sizeof(text) - 1, in);
        text[size] = 0;
        assert_int_equal(fclose(in), 0);
        assert_string_equal(text, expected);
}

/* Line 2, below a section, has the mistake. */
static char *cure_of(const char *line, const char *word, const char *meant, bool rest_counts)
{
        char text[512];
        const Problem problem = { .file = file,
                                  .line = 2,
                                  .instance = (char *)"alice",
                                  .meant = (char *)meant,
                                  .word = (char *)word };

        snprintf(text, sizeof(text), "[Instance]\n%s\nIdleSec=1h\n", line);
        put(text);
        return cure_line(&problem, line, rest_counts);
}

static void test_lines(void **state)
{
        static const struct {
                const char *line, *word, *meant, *mended;
        } cases[] = {
                { "Hots=a.example", "Hots", "Host", "Host=a.example" },
                { "host = a.example", "host", "Host", "Host = a.example" },
                { "Addres=192.0.2.7", "Addres", "Address", "Address=192.0.2.7" },
                { "Idle=5min", "Idle", NULL, "#Idle=5min" },
                { "ServerName=a.example", "ServerName", NULL, "#ServerName=a.example" },
                { "a/b&c=1", "a/b&c", NULL, "#a/b&c=1" },
                { "Default=maybe", NULL, NULL, "#Default=maybe" },
                { "[instance]", NULL, NULL, "[Instance]" },
                { "Host=a.example:443 b.example", "a.example:443", NULL,
                  "Host=a.example b.example" },
                { "Host=https://a.example/x", "https://a.example/x", NULL, "Host=a.example" },
                { "Host=a.example,b.example", "a.example,b.example", NULL,
                  "Host=a.example b.example" },
                { "Host=a.example, b.example", "a.example,", NULL, "Host=a.example b.example" },
                { "Host=192.0.2.7", "192.0.2.7", NULL, "Address=192.0.2.7" },
                { "Host=a.example 192.0.2.7", "192.0.2.7", NULL,
                  "Host=a.example\nAddress=192.0.2.7" },
                { "Host=[::1] a.example", "[::1]", NULL, "Host= a.example\nAddress=[::1]" },
                { "Host=a.example www.a.example b.example", "a.example", NULL,
                  "Host= www.a.example b.example" },
                { "Host=www.a.example A.example", "a.example", NULL, "Host=www.a.example " },
                { "Host=a.example *.a.example", "*.a.example", NULL, "Host=a.example " },
                { "Host=-x b.example", "-x", NULL, "Host= b.example" },
                { "Host=-x # why", "-x", NULL, "#Host=-x # why" },
                { "Host=it's b.example", "it's", NULL, "Host= b.example" },
                { "Address=none 192.0.2.7", "none", NULL, "Address= 192.0.2.7" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char expected[512];
                _cleanup_free_ char *cure =
                        cure_of(cases[i].line, cases[i].word, cases[i].meant, true);

                assert_non_null(cure);
                if (system(cure) != 0)
                        fail_msg("%s", cure);
                snprintf(expected, sizeof(expected), "[Instance]\n%s\nIdleSec=1h\n",
                         cases[i].mended);
                assert_content(file, expected);
        }
}

static void test_put_aside(void **state)
{
        _cleanup_free_ char *cure = cure_of("Host=a.example", "a.example", NULL, false);
        char aside[sizeof(file) + 8];

        assert_int_equal(system(cure), 0);
        snprintf(aside, sizeof(aside), "%s.off", file);
        assert_content(aside, "[Instance]\nHost=a.example\nIdleSec=1h\n");
        assert_int_not_equal(access(file, F_OK), 0);
}

static void test_section_missing(void **state)
{
        const Problem problem = {
                .file = file, .line = 1, .instance = (char *)"alice", .kind = PROBLEM_NO_SECTION
        };
        _cleanup_free_ char *cure = cure_line(&problem, "Host=a.example", true);

        put("Host=a.example\n");
        assert_int_equal(system(cure), 0);
        assert_content(file, "[Instance]\nHost=a.example\n");
}

/* Whatever stands in a file, no command of its own comes out of it. */
static void test_nothing_is_run(void **state)
{
        static const char *const words[] = { "$(touch pwned)",  "`touch pwned`",
                                             "';touch pwned;'", "x\";touch pwned;\"",
                                             "/;e touch pwned", "\\1&/w pwned" };

        assert_int_equal(chdir(folder), 0);
        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                char line[128];

                for (size_t j = 0; j < 2; j++) {
                        snprintf(line, sizeof(line), j ? "Host=a.example %s" : "%s=1", words[i]);
                        _cleanup_free_ char *cure = cure_of(line, words[i], NULL, true);

                        assert_non_null(cure);
                        (void)!system(cure);
                        assert_int_not_equal(access("pwned", F_OK), 0);
                }
        }
        assert_int_equal(chdir("/"), 0);
}

static void test_control_characters(void **state)
{
        assert_null(shell_quote("a\nb"));
        assert_null(shell_quote("a\033[31m"));
        assert_null(shell_quote("a\302\23331m"));
        assert_null(sed_escape("a\tb"));
        assert_null(cure_file("/etc/bellhop/instances/a\nb.conf"));
}

static void test_harmless(void **state)
{
        static const char *const cases[][2] = {
                { "plain \303\274", "plain \303\274" },
                { "\033[31mred\n", "?[31mred?" },
                { "\302\2331m", "??1m" },
                { "\302", "\302" },
                { "\302\240\177", "\302\240?" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[32];

                snprintf(text, sizeof(text), "%s", cases[i][0]);
                text_make_harmless(text);
                assert_string_equal(text, cases[i][1]);
        }
        text_make_harmless(NULL);
}

static void test_quotes(void **state)
{
        static const char *const cases[][2] = {
                { "plain-1.2/x_y@z", "plain-1.2/x_y@z" },
                { "", "''" },
                { "a b", "'a b'" },
                { "it's", "'it'\\''s'" },
                { "$x", "'$x'" },
                { "*", "'*'" },
                { "~", "'~'" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *quoted = shell_quote(cases[i][0]);

                assert_string_equal(quoted, cases[i][1]);
        }
}

static void test_findings(void **state)
{
        Findings findings = { .n = 0 };

        finding_add(&findings, FINDING_SELF_SIGNED, (Place){ "alice", "/x", 0 }, NULL, "%s", "one");
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "bob", NULL, 3 }, command("a %d", 1),
                    "two");
        finding_add(&findings, FINDING_CERTIFICATE_EXPIRES, (Place){ .line = 0 }, NULL, "three");
        findings_sort(&findings);
        assert_string_equal(findings.findings[0].what, "two");
        assert_string_equal(findings.findings[0].cure, "a 1");
        assert_int_equal(findings.findings[0].line, 3);
        assert_string_equal(findings.findings[1].what, "three");
        assert_string_equal(findings.findings[2].what, "one");
        assert_int_equal(findings_count(&findings, SEVERITY_WARNING), 1);
        findings_be_strict(&findings);
        assert_int_equal(findings_count(&findings, SEVERITY_WARNING), 0);
        assert_int_equal(findings_count(&findings, SEVERITY_ERROR), 2);
        assert_int_equal(findings_count(&findings, SEVERITY_NOTE), 1);
        findings_done(&findings);

        for (size_t i = 0; i < FINDING_KINDS; i++) {
                assert_non_null(finding_infos[i].name);
                assert_int_equal(finding_infos[i].why[strlen(finding_infos[i].why) - 1], '.');
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_lines),
                TEST(test_put_aside),
                TEST(test_section_missing),
                TEST(test_nothing_is_run),
                cmocka_unit_test(test_control_characters),
                cmocka_unit_test(test_harmless),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_findings),
        };

        return cmocka_run_group_tests_name("ctl-cure", tests, NULL, NULL);
}
