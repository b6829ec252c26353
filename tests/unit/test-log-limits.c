/* SPDX-License-Identifier: MIT */
/* Tests of how often each kind of line may be written. */
#include "unit.h"

#include <stdio.h>

#include "router/log-limits.h"

#define SEC UINT64_C(1000000)

static LogLimit limits[LOG_KINDS];
static char written[4096];

/* Instead of util/log.c's: keeps the text, and the fields of the last line. */
static LogFields last;

void log_full_args(int level, const LogFields *fields, const char *format, va_list args)
{
        const size_t used = strlen(written);

        last = *fields;
        (void)vsnprintf(written + used, sizeof(written) - used, format, args);
}

void log_full(int level, const LogFields *fields, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        log_full_args(level, fields, format, args);
        va_end(args);
}

static unsigned n_that_pass(LogKind kind)
{
        unsigned n = 0;

        while (log_limits_pass(limits, NULL, kind, &(LogFields){ 0 }))
                n++;
        return n;
}

/* How many lines it makes of one that says "x". */
static size_t write_one(LogLimit *of_instance, LogKind kind)
{
        written[0] = 0;
        log_limits_write(limits, of_instance, kind, (LogFields){ .instance = "alice" }, "%s", "x");
        return strlen(written);
}

/* A kind that is used up hides no other. */
static void test_kinds_are_apart(void **state)
{
        memset(limits, 0, sizeof(limits));
        for (LogKind kind = 0; kind < LOG_KINDS; kind++) {
                assert_int_equal(n_that_pass(kind), kind == LOG_KIND_REFUSAL ? 20 : 5);
                assert_true(limits[kind].interval_usec == 10 * SEC);
        }
}

/* Neither does an instance hide others, but for what all may write together. */
static void test_instances_are_apart(void **state)
{
        LogLimit of[7][LOG_KINDS_OF_INSTANCE] = { 0 };
        size_t n = 0;

        memset(limits, 0, sizeof(limits));
        for (size_t i = 0; i < 7; i++)
                for (int again = 0; again < 3; again++)
                        n += write_one(of[i], LOG_KIND_ABSENT);
        assert_int_equal(n, 5);
        /* One that was stopped by its own limit has not used the common one. */
        assert_int_equal(limits[LOG_KIND_ABSENT].n, 5);
        assert_int_equal(write_one(of[0], LOG_KIND_QUEUE_FULL), 1);
}

static void test_what_was_left_out_is_said(void **state)
{
        LogLimit of[LOG_KINDS_OF_INSTANCE] = { 0 };

        memset(limits, 0, sizeof(limits));
        assert_int_equal(write_one(of, LOG_KIND_ABSENT), 1);
        limits[LOG_KIND_ABSENT].n_left_out = 3;
        of[LOG_KIND_ABSENT] = (LogLimit){ .burst = 1, .n_left_out = 4 };
        (void)write_one(of, LOG_KIND_ABSENT);
        assert_string_equal(written, "7 more lines like the next one were not written to the logx");
}

static void test_fields(void **state)
{
        memset(limits, 0, sizeof(limits));
        assert_int_equal(write_one(NULL, LOG_KIND_EXHAUSTED), 1);
        assert_string_equal(last.instance, "alice");
        assert_non_null(last.message_id);
        /* A refusal is nothing that an administrator has to act on. */
        assert_int_equal(write_one(NULL, LOG_KIND_REFUSAL), 1);
        assert_null(last.message_id);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds_are_apart),
                cmocka_unit_test(test_instances_are_apart),
                cmocka_unit_test(test_what_was_left_out_is_said),
                cmocka_unit_test(test_fields),
        };

        return cmocka_run_group_tests_name("log-limits", tests, NULL, NULL);
}
