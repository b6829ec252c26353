/* SPDX-License-Identifier: MIT */
/* Tests of what bellhop-mail and sendmail understand, and of the budget; what goes over the wire is
 * in tests/path/test_mail.py. */
#include "unit.h"

#include <stdio.h>

#include "mail/budget.h"
#include "mail/smtp.h"
#include "sendmail/header.h"

#define HOUR 3600
#define NOON (1796000000 / 86400 * 86400 + 12 * HOUR) /* 2026-11-29 */

/* --- SMTP --- */

static void test_addresses(void **state)
{
        static const char *const valid[] = {
                "a@b.example",          "a",
                "a.b+c=d@b.example",    "\"a b\"@b.example",
                "\"\\\"\"@b.example",   "a@[192.0.2.1]",
                "a@[IPv6:2001:db8::1]", "a%b@c.example",
                "a!b@c.example",        "a'b@c.example",
        };
        static const char *const invalid[] = {
                "",       "@b",       "a@",        "a@b c",      "a b@c",      ".a@b",    "a.@b",
                "a@b..c", "a@.b",     "a@-b",      "a@b.",       "a@b@c",      "-a@b",    "\"a@b",
                "\"\"@b", "\"a\"x@b", "a@[",       "a@[]",       "a@[a b]",    "<a@b>",   "a,b@c",
                "a;b@c",  "a:b@c",    "\"a\n\"@b", "\xc3\xa4@b", "a@\xc3\xa4", "a\r\n@b", "a@b/c",
        };

        for (size_t i = 0; i < ELEMENTSOF(valid); i++)
                if (!smtp_address_is_valid(guarded_span(valid[i], strlen(valid[i]))))
                        fail_msg("%s", valid[i]);
        for (size_t i = 0; i < ELEMENTSOF(invalid); i++)
                if (smtp_address_is_valid(guarded_span(invalid[i], strlen(invalid[i]))))
                        fail_msg("%s", invalid[i]);
}

/* However a message is cut, the same goes out. */
static void test_every_split(void **state)
{
        static const char text[] =
                "X-Bellhop-Instance: bob\r\n bob\nX-Bellhop \t: x\rA\r\n.\n..\r\n"
                "\r\n.\r.\r\n..\r\n\r\n.\nx\r\n.\r\nMAIL";
        uint8_t got[SMTP_BODY_ROOM(sizeof(text))], first[SMTP_BODY_ROOM(sizeof(text))];
        const size_t size = strlen(text);
        size_t n_first = 0;

        for (size_t cut = 0; cut <= size; cut++) {
                SmtpBody body = { .error = NULL };
                Span in = guarded_span(text, cut);
                size_t n = smtp_body_read(&body, &in, got);

                if (in.size == 0 && body.place != SMTP_END) {
                        in = (Span){ (const uint8_t *)text + cut, size - cut };
                        n += smtp_body_read(&body, &in, got + n);
                        assert_int_equal(in.size, strlen("MAIL"));
                }
                assert_int_equal(body.place, SMTP_END);
                assert_null(body.error);
                if (cut == 0) {
                        n_first = n;
                        memcpy(first, got, n);
                }
                assert_int_equal(n, n_first);
                assert_memory_equal(got, first, n);
        }
}

static void test_replies(void **state)
{
        static const struct {
                const char *line;
                unsigned code;
                bool is_last;
        } cases[] = { { "250 fine", 250, true }, { "250-more", 250, false }, { "250", 250, true },
                      { "25", 0, false },        { "x50 fine", 0, true },    { "150 x", 0, true },
                      { "600 x", 0, true },      { "250x", 0, true },        { "", 0, false } };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                bool is_last;
                const Span line = guarded_span(cases[i].line, strlen(cases[i].line));

                assert_int_equal(smtp_parse_reply(line, &is_last), cases[i].code);
                assert_int_equal(is_last, cases[i].is_last);
        }
}

/* --- the budget --- */

static void test_hours_and_days(void **state)
{
        const MailLimits limits = { .per_hour = 2, .per_day = 3, .recipients_per_day = 2 };
        Budget budget = { .n_sites = 0 };
        const int alice = budget_find(&budget, "alice", 1000),
                  bob = budget_find(&budget, "bob", 1000);

        assert_int_equal(budget_find(&budget, "alice", 1000), alice);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_HOUR);
        assert_int_equal(budget_charge(&budget, bob, &limits, false, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + HOUR), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + HOUR), BUDGET_DAY);
        budget_refund(&budget, alice, 0, NOON + HOUR);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + HOUR), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, NOON), BUDGET_RECIPIENTS);
        /* What was charged on another day is not given back to this one. */
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + 24 * HOUR),
                         BUDGET_FITS);
        budget_refund(&budget, alice, 2, NOON);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + 24 * HOUR),
                         BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON + 24 * HOUR),
                         BUDGET_HOUR);
        budget_done(&budget);
}

/* A recipient of a message that began in an hour and a day that are over. */
static void test_late_recipient(void **state)
{
        const MailLimits limits = { .per_hour = 1, .per_day = 1, .recipients_per_day = 2 };
        const time_t midnight = NOON + 12 * HOUR;
        Budget budget = { .n_sites = 0 };
        const int alice = budget_find(&budget, "alice", 1000);

        assert_int_equal(budget_charge(&budget, alice, &limits, false, midnight - 1), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, midnight), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, midnight), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, midnight - 1), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, midnight - 1),
                         BUDGET_RECIPIENTS);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, midnight), BUDGET_DAY);
        budget_done(&budget);
}

static void test_next_customer_of_the_name(void **state)
{
        const MailLimits limits = { .per_hour = 1, .per_day = 1, .recipients_per_day = 1 };
        Budget budget = { .n_sites = 0 };
        const int alice = budget_find(&budget, "alice", 1000);

        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, NOON), BUDGET_FITS);
        budget_count(&budget, alice, true);
        assert_int_equal(budget_find(&budget, "alice", 0), alice);
        assert_int_equal(budget_find(&budget, "alice", 1000), alice);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_DAY);
        assert_int_equal(budget_find(&budget, "alice", 1001), alice);
        assert_int_equal(budget.sites[alice].n_sent, 0);
        assert_int_equal(budget_charge(&budget, alice, &limits, false, NOON), BUDGET_FITS);
        assert_int_equal(budget_charge(&budget, alice, &limits, true, NOON), BUDGET_FITS);
        budget_done(&budget);
}

static void test_file(void **state)
{
        const MailLimits limits = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
        char dir[] = "/tmp/bellhop-unit-XXXXXX", path[64];
        Budget budget = { .n_sites = 0 }, again = { .n_sites = 0 };
        FILE *file;

        assert_non_null(mkdtemp(dir));
        (void)snprintf(path, sizeof(path), "%s/" BUDGET_FILE, dir);
        assert_int_equal(budget_load(&budget, dir), 0);
        for (unsigned i = 0; i < 20; i++) {
                char name[BUDGET_NAME_MAX];

                (void)snprintf(name, sizeof(name), "customer-%u", i);
                for (unsigned j = 0; j < i; j++)
                        (void)budget_charge(&budget, budget_find(&budget, name, 1000), &limits,
                                            false, NOON);
                budget_count(&budget, budget_find(&budget, name, 1000), i % 2 == 0);
        }
        assert_true(budget.has_changed);
        assert_int_equal(budget_save(&budget, dir), 0);
        assert_false(budget.has_changed);
        assert_int_equal(budget_load(&again, dir), 0);
        assert_int_equal(again.n_sites, 20);
        assert_memory_equal(again.sites, budget.sites, 20 * sizeof(*budget.sites));
        budget_done(&again);
        file = fopen(path, "ae");
        assert_non_null(file);
        assert_true(fputs("dave=1 2\n", file) >= 0 && fclose(file) == 0);
        again = (Budget){ .n_sites = 0 };
        assert_int_equal(budget_load(&again, dir), -EBADMSG);
        budget_done(&again);
        budget_done(&budget);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(dir), 0);
}

/* --- the header --- */

static void test_header(void **state)
{
        static const char text[] = "To: a@b\nX-Long: one\n two\r\n\tthree\nBCC : c@d\n\nbody: x\n";
        static const char *const values[] = { " a@b", " one\n two\r\n\tthree", " c@d" };
        Span rest = guarded_span(text, strlen(text));
        HeaderField field;

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                assert_true(header_next(&rest, &field));
                assert_true(span_equals(field.value, values[i]));
                assert_int_equal(header_is(&field, "Bcc"), i == 2);
        }
        assert_false(header_next(&rest, &field));
        assert_true(span_equals(rest, "\nbody: x\n"));
}

static void test_recipients(void **state)
{
        static const struct {
                const char *list, *found; /* each with a blank behind it; "!": not valid */
        } cases[] = {
                { "", "" },
                { " a@b", "a@b " },
                { "a@b,c@d", "a@b c@d " },
                { " , a@b ,, c@d , ", "a@b c@d " },
                { "A B <a@b>, \"C, D\" <c@d>", "a@b c@d " },
                { "\"A \\\" <x@y>, B\" <a@b>", "a@b " },
                { "A (x, y <x@y> (z)) <a@b> (b, c)", "a@b " },
                { "friends: a@b, C <c@d>; e@f", "a@b c@d e@f " },
                { "undisclosed-recipients:;", "" },
                { "\"a b\"@c", "\"a b\"@c " },
                { "<\"a>b\"@c>", "\"a>b\"@c " },
                { "a @ b . c", "a@b.c " },
                { "a@b\n , c@d\r\n", "a@b c@d " },
                { "root", "root " },
                { "=?utf-8?q?=C3=A4?= <a@b>", "a@b " },
                { "\xc3\xa4 <a@b>", "a@b " },
                { "A B", "!" },
                { "<a@b", "!" },
                { "\"a", "!" },
                { "(a", "!" },
                { "<>", "!" },
                { "a@b c@d", "!" },
                { "<a@b> c@d", "!" },
                { "a@b, A B, c@d", "a@b !" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Span list = guarded_span(cases[i].list, strlen(cases[i].list));
                char address[HEADER_ADDRESS_MAX], found[512] = "";
                HeaderAddress kind;

                while ((kind = header_next_address(&list, address)) == HEADER_ADDRESS) {
                        (void)strcat(found, address);
                        (void)strcat(found, " ");
                }
                if (kind == HEADER_ADDRESS_INVALID)
                        (void)strcat(found, "!");
                assert_string_equal(found, cases[i].found);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_every_split),
                cmocka_unit_test(test_replies),
                cmocka_unit_test(test_hours_and_days),
                cmocka_unit_test(test_late_recipient),
                cmocka_unit_test(test_next_customer_of_the_name),
                cmocka_unit_test(test_file),
                cmocka_unit_test(test_header),
                cmocka_unit_test(test_recipients),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
