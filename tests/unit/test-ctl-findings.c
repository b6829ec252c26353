/* SPDX-License-Identifier: MIT */
/* The table of findings, and what becomes of its advice. */
#include "unit.h"

#include "ctl/check/findings.h"

static void assert_advice(const char *config_dir, Place place, const char *advice,
                          const char *expected)
{
        Findings findings = { .config_dir = config_dir };
        const Finding *finding =
                finding_add(&findings, FINDING_SELF_SIGNED, place, advice, "%s", "what");

        assert_non_null(finding);
        if (expected)
                assert_string_equal(finding->advice, expected);
        else
                assert_null(finding->advice);
        findings_done(&findings);
}

static void test_advice(void **state)
{
        const Place place = { "alice", "/etc/x", 0 };

        (void)state;
        assert_advice(NULL, place, NULL, NULL);
        assert_advice(NULL, place, "", "");
        assert_advice(NULL, place, "a {name} {file}{config} b", "a alice /etc/x b");
        assert_advice("/srv/c", place, "apply{config}", "apply --config=/srv/c");
        assert_advice(NULL, NOWHERE, "<{name}{file}>", "<>");
        assert_advice(NULL, place, "{nam} {{name}} {", "{nam} {alice} {");
        /* What is filled in is not looked through again. */
        assert_advice(NULL, (Place){ NULL, "/{name}", 0 }, "{file}", "/{name}");
        assert_advice(NULL, (Place){ NULL, "/\033[31m", 0 }, "{file}", "/?[31m");
}

/* A shell of root's may get the advice. */
static void test_names_of_customers(void **state)
{
        static const char *const names[] = { "/$(x)", "/a b", "/a;x", "/\033[31m", "/{name}" };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                assert_advice(
                        NULL, (Place){ "alice", names[i], 0 }, "chmod o= {file}",
                        "Change the mode of the file or folder as user alice (runuser --pty -u "
                        "alice). Its path has characters that can't be shown safely in a "
                        "command.");
        assert_advice(NULL, (Place){ "alice", names[0], 0 }, "chmod {name}", "chmod alice");
}

static void assert_home_advice(const char *home, const char *expected)
{
        Findings findings = { .n = 0 };
        const Finding *finding = finding_add(&findings, FINDING_HOME_READ_ONLY,
                                             (Place){ "alice", home, 0 }, NULL, "%s", "what");

        assert_non_null(finding);
        assert_string_equal(finding->advice, expected);
        findings_done(&findings);
}

/* Another mode would not help, so the advice does not name one. */
static void test_read_only_home(void **state)
{
        (void)state;
        assert_home_advice("/data/alice",
                           "If they must write to it, add [Service] and BindPaths=/data/alice with "
                           "'systemctl edit bellhop@alice.service', then run 'systemctl "
                           "try-restart bellhop@alice.service'.");
        assert_home_advice("/home/a@b", "If they must write to it, move it to /home/alice.");
}

static void test_kinds_have_own_advice(void **state)
{
        Findings findings = { .n = 0 };
        const Finding *finding = finding_add(&findings, FINDING_SITE_NOT_RELOADED,
                                             (Place){ .instance = "alice" }, NULL, "old\n");

        (void)state;
        assert_string_equal(finding->advice,
                            "systemctl try-reload-or-restart bellhop@alice.service");
        assert_string_equal(finding->what, "old?");
        findings_done(&findings);
}

static void test_order(void **state)
{
        Findings findings = { .n = 0 };

        (void)state;
        finding_add(&findings, FINDING_SELF_SIGNED, (Place){ "alice", "/x", 0 }, NULL, "%s", "one");
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "bob", NULL, 3 }, NULL, "two");
        finding_add(&findings, FINDING_CERTIFICATE_EXPIRES, NOWHERE, NULL, "three");
        finding_add(&findings, FINDING_KEY_MISMATCH, NOWHERE, NULL, "four");
        findings_finish(&findings, false);
        assert_string_equal(findings.findings[0].what, "two");
        assert_int_equal(findings.findings[0].line, 3);
        assert_string_equal(findings.findings[1].what, "four");
        assert_string_equal(findings.findings[2].what, "three");
        assert_string_equal(findings.findings[3].what, "one");
        assert_true(findings_have_error(&findings, "bob"));
        assert_false(findings_have_error(&findings, "alice"));
        assert_int_equal(findings_count(&findings, SEVERITY_WARNING), 1);
        findings_finish(&findings, true);
        assert_int_equal(findings_count(&findings, SEVERITY_WARNING), 0);
        assert_int_equal(findings_count(&findings, SEVERITY_ERROR), 3);
        assert_int_equal(findings_count(&findings, SEVERITY_NOTE), 1);
        findings_done(&findings);
}

/* What is said of one is said of another, but for the names. */
static void test_alike(void **state)
{
        Findings findings = { .n = 0 };
        const Finding *all;

        (void)state;
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "bob", "/tls/bob/key", 0 }, NULL,
                    "user bob, not bobby, can't read /tls/bob/key (mode %04o)", 0U);
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "eve", "/tls/eve/key", 0 }, NULL,
                    "user eve, not bobby, can't read /tls/eve/key (mode %04o)", 0U);
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "eve", "/tls/eve/key", 0 }, NULL,
                    "user eve, not bobby, can't read /tls/eve/key (mode %04o)", 0644U);
        finding_add(&findings, FINDING_KEY_MISMATCH, (Place){ "eve", "/tls/eve/key", 0 }, NULL,
                    "user eve, not bobby, can't read /tls/eve/key (mode %04o)", 0U);
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "eve", "/tls/eve/key", 0 }, "Other.",
                    "user eve, not bobby, can't read /tls/eve/key (mode %04o)", 0U);
        all = findings.findings;
        assert_string_equal(all[0].any_what, "user NAME, not bobby, can't read FILE (mode 0000)");
        assert_string_equal(all[0].any_advice, "runuser --pty -u NAME -- chmod 0400 FILE");
        assert_true(findings_are_alike(&all[0], &all[1]));
        for (size_t i = 2; i < findings.n; i++)
                assert_false(findings_are_alike(&all[0], &all[i]));
        assert_true(findings_are_alike(&all[1], &all[1]));
        finding_add(&findings, FINDING_KEY_EXPOSED, (Place){ "eve", "/tls/eve/key", 0 }, NULL,
                    "user eve, not bobby, can't read /tls/eve/key (mode %04o)", 0U);
        all = findings.findings;
        assert_true(findings_are_alike(&all[1], &all[findings.n - 1]));
        findings_keep(&findings, "bob");
        assert_int_equal(findings.n, 1);
        findings_keep(&findings, "nobody");
        assert_int_equal(findings.n, 0);
        findings_done(&findings);
}

/* Root may follow all advice: a command that it gives changes no file, but as the customer. */
static void test_table(void **state)
{
        static const char *const commands[] = { "bellhopctl ", "systemctl ",
                                                "runuser --pty -u {name} -- " };

        (void)state;
        for (size_t i = 0; i < FINDING_KINDS; i++) {
                const FindingInfo *info = &finding_infos[i];
                bool is_known = !info->advice;

                assert_non_null(info->name);
                assert_int_equal(info->why[strlen(info->why) - 1], '.');
                for (size_t j = 0; info->advice && j < ELEMENTSOF(commands); j++)
                        is_known |= strncmp(info->advice, commands[j], strlen(commands[j])) == 0;
                if (!is_known && (info->advice[0] < 'A' || info->advice[0] > 'Z' ||
                                  info->advice[strlen(info->advice) - 1] != '.'))
                        fail_msg("%s is neither a command nor a sentence", info->advice);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_advice),         cmocka_unit_test(test_names_of_customers),
                cmocka_unit_test(test_read_only_home), cmocka_unit_test(test_kinds_have_own_advice),
                cmocka_unit_test(test_order),          cmocka_unit_test(test_alike),
                cmocka_unit_test(test_table),
        };

        return cmocka_run_group_tests_name("ctl-findings", tests, NULL, NULL);
}
