/* SPDX-License-Identifier: MIT */
/* Tests of what people read: numbers, sizes, times. */
#include "unit.h"

#include <math.h>

#include "ctl/show/show.h"

static void test_counts(void **state)
{
        char text[SHOWN_MAX];

        (void)state;
        assert_string_equal(show_count(0, text), "0");
        assert_string_equal(show_count(UINT64_MAX - 1, text), "18446744073709551614");
        assert_string_equal(show_count(UINT64_MAX, text), "-");
        assert_string_equal(show_rate(NAN, text), "-");
        assert_string_equal(show_rate(0, text), "0.0");
        assert_string_equal(show_rate(99.94, text), "99.9");
        assert_string_equal(show_rate(99.96, text), "100");
        assert_string_equal(show_rate(1e6, text), "1000000");
}

static void test_bytes(void **state)
{
        static const struct {
                uint64_t n;
                const char *text;
        } cases[] = {
                { 0, "0B" },
                { 1023, "1023B" },
                { 1024, "1.0K" },
                { 1536, "1.5K" },
                { 1024 * 1024 - 1, "1.0M" },
                { 12345678, "11.8M" },
                { UINT64_C(1) << 40, "1.0T" },
                { UINT64_MAX - 1, "16.0E" },
                { UINT64_MAX, "-" },
        };
        char text[SHOWN_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(show_bytes(cases[i].n, text), cases[i].text);
}

static void test_spans(void **state)
{
        char text[SHOWN_MAX];

        (void)state;
        assert_string_equal(show_span(59, text), "59s");
        assert_string_equal(show_span(600, text), "10min");
        assert_string_equal(show_span(601, text), "601s");
        assert_string_equal(show_span(5400, text), "90min");
        assert_string_equal(show_span(7200, text), "2h");
        assert_string_equal(show_span(86400, text), "1d");
        assert_string_equal(show_days(0, text), "0 days");
        assert_string_equal(show_days(1, text), "1 day");
        assert_string_equal(show_days(58, text), "58 days");
}

static void test_seconds(void **state)
{
        char text[SHOWN_MAX];

        (void)state;
        assert_string_equal(show_usec(0, text), "0");
        assert_string_equal(show_usec(600000000, text), "600");
        assert_string_equal(show_usec(500000, text), "0.5");
        assert_string_equal(show_usec(10000001, text), "10.000001");
        assert_string_equal(show_usec(UINT64_MAX, text), "-");
        assert_string_equal(show_percent(1500000, text), "150");
        assert_string_equal(show_percent(125000, text), "12.5");
}

static void test_times(void **state)
{
        static const struct {
                time_t then;
                const char *ago, *left;
        } cases[] = {
                { 0, "-", "-" },
                { 1000000, "now", "expired" },
                { 999999, "1s ago", "expired" },
                { 1000000 - 59, "59s ago", "expired" },
                { 1000000 - 60, "1min ago", "expired" },
                { 1000000 - 3599, "59min ago", "expired" },
                { 1000000 - 3600, "1h ago", "expired" },
                { 1000000 - 86399, "23h ago", "expired" },
                { 1000000 - 86400, "1d ago", "expired" },
                { 1000000 - 900000, "10d ago", "expired" },
                { 1000001, "now", "in 0 hours" },
                { 1000000 + 7199, "now", "in 1 hour" },
                { 1000000 + 7200, "now", "in 2 hours" },
                { 1000000 + 172799, "now", "in 47 hours" },
                { 1000000 + 172800, "now", "in 2 days" },
        };
        char text[SHOWN_MAX];

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                assert_string_equal(show_ago(cases[i].then, 1000000, text), cases[i].ago);
                assert_string_equal(show_left(cases[i].then, 1000000, text), cases[i].left);
        }
        assert_string_equal(show_time(1000000, text), "1970-01-12T13:46:40Z");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_counts), cmocka_unit_test(test_bytes),
                cmocka_unit_test(test_spans),  cmocka_unit_test(test_seconds),
                cmocka_unit_test(test_times),
        };

        return cmocka_run_group_tests_name("ctl-show", tests, NULL, NULL);
}
