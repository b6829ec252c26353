/* SPDX-License-Identifier: MIT */
#include "config-dir.h"

#include "acme/answer.h"
#include "acme/state.h"
#include "config/acme-settings.h"
#include "config/settings.h"

#define WEEK        UINT64_C(604800)
#define LONG_DIGEST "00000000000000000000000000000000000000000000000000000000000000000"
#define NOW         UINT64_C(1796000000)

/* --- authorities --- */

static int load(const char *text, Config **ret, AcmeSettings *settings)
{
        char path[DIR_MAX * 2];

        in_dir(path, "acme");
        (void)mkdir(path, 0755);
        put("acme/default.conf", text);
        assert_int_equal(config_load(dir, CONFIG_USERS_TRUST, NULL, ret), 0);
        return acme_settings_load(*ret, dir, "default", settings);
}

static void test_settings(void **state)
{
        _cleanup_config_ Config *config = NULL, *full = NULL;
        AcmeSettings settings;

        assert_int_equal(load("[Acme]\n", &config, &settings), 0);
        assert_string_equal(settings.directory, "https://acme-v02.api.letsencrypt.org/directory");
        assert_true(settings.challenges[ACME_HTTP_01] && settings.challenges[ACME_TLS_ALPN_01]);
        assert_false(settings.challenges[ACME_DNS_01]);
        assert_true(settings.checks_names);
        assert_string_equal(settings.caa, "letsencrypt.org");
        assert_int_equal(acme_settings_load(config, dir, "none", &settings), -ENOENT);

        assert_int_equal(load("[Acme]\nDirectory=https://acme.example/dir\nContact=a@b.example\n"
                              "KeyType=rsa\nChallenges=dns-01\nDnsHook=/usr/bin/hook\n"
                              "Addresses=192.0.2.7 2001:db8::7\nCheckNames=no\nOrdersMax=1\n",
                              &full, &settings),
                         0);
        assert_string_equal(settings.directory, "https://acme.example/dir");
        assert_string_equal(settings.contact, "a@b.example");
        assert_string_equal(settings.caa, "");
        assert_int_equal(settings.key_type, ACME_KEY_RSA);
        assert_false(settings.challenges[ACME_HTTP_01]);
        assert_true(settings.challenges[ACME_DNS_01]);
        assert_int_equal(settings.n_addresses, 2);
        assert_false(settings.checks_names);
        assert_int_equal(settings.orders_max, 1);
}

static void test_wrong_settings(void **state)
{
        static const struct {
                const char *text, *problem;
        } cases[] = {
                { "Directory=http://acme.example", "does not begin with https://" },
                { "Directory=https://acme example", "has a blank" },
                { "Contact=-x", "begins with '-'" },
                { "Contact=", "is empty" },
                { "KeyType=dsa", "is neither ec nor rsa" },
                { "Challenges=http", "is none of http-01" },
                { "Challenges=dns-01", "needs a program in DnsHook=" },
                { "DnsHook=hook", "does not begin with /" },
                { "Addresses=192.0.2.7:80", "is not an address" },
                { "OrdersMax=0", "from 1 to 100" },
                { "Orders=1", "unknown key" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = NULL;
                char text[256];
                AcmeSettings settings;

                (void)snprintf(text, sizeof(text), "[Acme]\n%s\n", cases[i].text);
                assert_int_equal(load(text, &config, &settings), -EINVAL);
                assert_int_equal(config->n_problems, 1);
                if (!strstr(config->problems[0].text, cases[i].problem))
                        fail_msg("'%s', not '%s'", config->problems[0].text, cases[i].problem);
                assert_string_equal(settings.directory,
                                    "https://acme-v02.api.letsencrypt.org/directory");
        }
}

/* --- state --- */

static void test_state(void **unused)
{
        AcmeState written = { .not_before = 1,
                              .not_after = 2,
                              .next = 3,
                              .tried = 4,
                              .n_failures = 5,
                              .certificate = "c0ffee",
                              .recalled = "decaf",
                              .authority = "https://acme.example/dir",
                              .wanted = "abc" };
        AcmeState state;
        assert_int_equal(acme_state_read(dir, "alice", &state), -ENOENT);
        acme_state_set_error(&written, "the authority\ndoes not answer\x1b");
        assert_int_equal(acme_state_add_failure(&written, "a.example", "first", false), 0);
        assert_int_equal(acme_state_add_failure(&written, "*.b.example", "a wildcard needs dns-01",
                                                true),
                         0);
        assert_int_equal(acme_state_add_failure(&written, "a.example", "leads to 192.0.2.9", true),
                         0);
        acme_state_add_order(&written, NOW);
        acme_state_add_order(&written, NOW + 1);
        assert_int_equal(acme_state_write(dir, "alice", &written), 0);

        assert_int_equal(acme_state_read(dir, "alice", &state), 0);
        assert_int_equal(state.not_before, 1);
        assert_int_equal(state.not_after, 2);
        assert_int_equal(state.next, 3);
        assert_int_equal(state.tried, 4);
        assert_int_equal(state.n_failures, 5);
        assert_string_equal(state.certificate, "c0ffee");
        assert_string_equal(state.recalled, "decaf");
        assert_string_equal(state.authority, "https://acme.example/dir");
        assert_string_equal(state.wanted, "abc");
        assert_string_equal(state.error, "the authority?does not answer?");
        assert_int_equal(state.n_failures_of_hosts, 2);
        /* A repeated failure comes last. */
        assert_ptr_equal(acme_state_failure_of(&state, "*.b.example"), &state.failures[0]);
        assert_ptr_equal(acme_state_failure_of(&state, "a.example"), &state.failures[1]);
        assert_string_equal(state.failures[0].reason, "a wildcard needs dns-01");
        assert_string_equal(state.failures[1].reason, "leads to 192.0.2.9");
        assert_true(state.failures[0].is_refused && state.failures[1].is_refused);
        acme_state_forget_failure(&state, "*.b.example");
        assert_null(acme_state_failure_of(&state, "*.b.example"));
        assert_ptr_equal(acme_state_failure_of(&state, "a.example"), &state.failures[0]);
        acme_state_add_order(&state, NOW + 2 * WEEK); /* of a clock that was wrong */
        assert_int_equal(acme_state_count_orders(&state, NOW + WEEK - 1), 2);
        assert_int_equal(acme_state_count_orders(&state, NOW + WEEK), 1);
        assert_int_equal(acme_state_count_orders(&state, NOW + WEEK + 1), 0);
        acme_state_done(&state);
        acme_state_done(&written);
}

static void test_damaged_state(void **unused)
{
        static const char *const texts[] = {
                "[Certificate]\nNext=x\n",
                "Next=1\n",
                "[Certificate]\nFailed=a.example\n",
                "[Certificate]\nError=x\nWanted=" LONG_DIGEST "\n",
        };
        AcmeState state;

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                put("instances/bob", texts[i]);
                assert_int_equal(acme_state_read(dir, "bob", &state), -EINVAL);
                assert_null(state.error);
                assert_int_equal(state.next, 0);
        }
}

static void test_many_orders(void **unused)
{
        AcmeState state = { .n_orders = 0 };

        for (size_t i = 0; i < ACME_ORDERS_MAX + 5; i++)
                acme_state_add_order(&state, NOW + i);
        assert_int_equal(state.n_orders, ACME_ORDERS_MAX);
        assert_int_equal(state.orders[0], NOW + 5);
        assert_int_equal(state.orders[ACME_ORDERS_MAX - 1], NOW + ACME_ORDERS_MAX + 4);
}

/* --- answers --- */

static void test_caa(void **unused)
{
        static const struct {
                const char *record;
                size_t size;
                bool is_there, allows;
                const char *other;
        } cases[] = {
                { S("\0\5issueletsencrypt.org"), true, true, "" },
                { S("\200\5ISSUE LetsEncrypt.org ; accounturi=x"), true, true, "" },
                { S("\0\5issueca.example"), true, false, "ca.example" },
                { S("\0\5issue;"), true, false, "" },
                { S("\0\5issue"), true, false, "" },
                { S("\0\11issuewildletsencrypt.org"), false, false, "" },
                { S("\0\5iodefmailto:x"), false, false, "" },
                { S("\0\50issue"), false, false, "" },
                { S("\0"), false, false, "" },
                { S(""), false, false, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Caa caa = { .is_there = false };

                answer_add_caa(guarded_span(cases[i].record, cases[i].size), "issue",
                               "letsencrypt.org", &caa);
                assert_int_equal(caa.is_there, cases[i].is_there);
                assert_int_equal(caa.allows, cases[i].allows);
                assert_string_equal(caa.other, cases[i].other);
        }
}

static void test_absence(void **unused)
{
        assert_false(answer_is_absence("", ""));
        assert_true(answer_is_absence("uacme: a\nuacme: failed to fetch directory at https://a/\n",
                                      ""));
        assert_true(answer_is_absence("uacme: a\nuacme: acme_post: curl_post failed\nuacme: b\n",
                                      "urn:ietf:params:acme:error:badNonce"));
        assert_true(answer_is_absence("", "urn:ietf:params:acme:error:serverInternal"));
        /* It has tried again, and that was good. */
        assert_false(answer_is_absence(
                "uacme: a\nuacme: curl_post: POST https://a/ failed: SSL connect error\n", ""));
        /* A customer's page says so. */
        assert_false(answer_is_absence("uacme: a\n    \"detail\": \"got uacme: failed to fetch "
                                       "directory at \"\n",
                                       "urn:ietf:params:acme:error:unauthorized"));
}

static void test_lost_account(void **unused)
{
        assert_true(answer_is_lost_account("uacme: a\nuacme: no account associated with x found at "
                                           "https://a/. Consider trying 'new'\n",
                                           ""));
        assert_true(answer_is_lost_account("", "urn:ietf:params:acme:error:accountDoesNotExist"));
        assert_false(
                answer_is_lost_account("    \"detail\": \"uacme: no account associated with \"\n",
                                       "urn:ietf:params:acme:error:unauthorized"));
}

static void test_problem(void **unused)
{
        static const char log[] = "uacme: the server reported the following error:\n{\n"
                                  "    \"type\": \"urn:ietf:params:acme:error:dns\",\n"
                                  "    \"detail\": \"no \\\"A\\\" of www.alice.example\",\n"
                                  "    \"status\": 400\n}\nuacme: failed\n\n";
        char text[ANSWER_TEXT_MAX], longer[2 * ANSWER_TEXT_MAX];

        answer_find_value(log, "detail", text);
        assert_string_equal(text, "no \"A\" of www.alice.example");
        answer_find_value(log, "type", text);
        assert_string_equal(text, "urn:ietf:params:acme:error:dns");
        answer_find_value(log, "status", text);
        assert_string_equal(text, "");
        answer_last_line(log, text);
        assert_string_equal(text, "uacme: failed");
        answer_last_line("", text);
        assert_string_equal(text, "");
        memset(longer, 'x', sizeof(longer) - 1);
        memcpy(longer, "{\"a\": \"", 7);
        longer[sizeof(longer) - 1] = 0;
        answer_find_value(longer, "a", text);
        assert_int_equal(strlen(text), ANSWER_TEXT_MAX - 1);
        answer_find_value("\"a\": \"\\", "a", text);
        assert_string_equal(text, "\\");
}

static void test_hosts_in_text(void **unused)
{
        static const struct {
                const char *text;
                bool names;
        } cases[] = {
                { "alice.example", true },      { "for \"Alice.example\": x", true },
                { "of alice.example.", true },  { "http://alice.example:80/x", true },
                { "www.alice.example", false }, { "malice.example", false },
                { "alice.example.com", false }, { "alice.examples, alice.example", true },
                { "alice-example", false },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (answer_names_host(cases[i].text, "alice.example") != cases[i].names)
                        fail_msg("%s", cases[i].text);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_settings, dir_setup, dir_teardown),
                cmocka_unit_test_setup_teardown(test_wrong_settings, dir_setup, dir_teardown),
                cmocka_unit_test_setup_teardown(test_state, dir_setup, dir_teardown),
                cmocka_unit_test_setup_teardown(test_damaged_state, dir_setup, dir_teardown),
                cmocka_unit_test(test_many_orders),
                cmocka_unit_test(test_caa),
                cmocka_unit_test(test_absence),
                cmocka_unit_test(test_lost_account),
                cmocka_unit_test(test_problem),
                cmocka_unit_test(test_hosts_in_text),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
