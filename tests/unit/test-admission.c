/* SPDX-License-Identifier: MIT */
/* Tests of the limits on pending connections. */
#include "unit.h"

#include <sys/resource.h>

#include "router/admission.h"

static LogLimit limits[LOG_KINDS];
static unsigned n_lines;
static int charge_result;
static RouterSettings settings;

/* What admission.c calls. */
int source_charge(SourceTable *table, const RouterSettings *limits_of_source, const Address *client,
                  Source **ret)
{
        assert_ptr_equal(limits_of_source, &settings);
        return charge_result;
}

void log_limits_write(LogLimit all[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                      LogFields fields, const char *format, ...)
{
        assert_ptr_equal(all, limits);
        if (kind == LOG_KIND_INSTANCE_LIMIT)
                assert_string_equal(fields.instance, "alice");
        else
                assert_null(of_instance);
        n_lines++;
}

static Admission admission_with(uint64_t pending_max, size_t n_descriptors)
{
        Admission admission = { .log_limits = limits };

        settings = (RouterSettings){ .pending_max = pending_max, .pending_max_per_instance = 3 };
        n_lines = 0;
        admission_set(&admission, &settings, n_descriptors);
        return admission;
}

static void test_in_all(void **state)
{
        Admission admission = admission_with(5, 0);

        assert_true(admission_has_room(&admission, 0));
        assert_true(admission_has_room(&admission, 5));
        assert_int_equal(n_lines, 0);
        assert_false(admission_has_room(&admission, 6));
        assert_int_equal(n_lines, 1);
}

/* Half of what others leave: as many again may linger. */
static void test_descriptors(void **state)
{
        struct rlimit before, limit;

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        limit = before;
        limit.rlim_cur = 100;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        assert_int_equal(admission_with(1000, 20).pending_max, 40);
        assert_int_equal(admission_with(30, 20).pending_max, 30);
        assert_int_equal(admission_with(1000, 96).pending_max, 2);
        /* Never none. */
        assert_int_equal(admission_with(1000, 98).pending_max, 1);
        assert_int_equal(admission_with(1000, 100).pending_max, 1);
        assert_int_equal(admission_with(1000, 5000).pending_max, 1);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_of_a_source(void **state)
{
        Admission admission = admission_with(5, 0);
        const Address client = { .port = 1 };
        Source *source;

        charge_result = 0;
        assert_true(admission_charge(&admission, &client, &source));
        assert_int_equal(n_lines, 0);
        charge_result = -EDQUOT;
        assert_false(admission_charge(&admission, &client, &source));
        assert_int_equal(n_lines, 1);
        /* No limit is reached, so none is named. */
        charge_result = -ENOMEM;
        assert_false(admission_charge(&admission, &client, &source));
        assert_int_equal(n_lines, 1);
}

static void test_of_an_instance(void **state)
{
        static char name[] = "alice";
        Admission admission = admission_with(5, 0);
        Outlet outlet = { .name = name };

        for (outlet.n_waiting = 0; outlet.n_waiting < 3; outlet.n_waiting++)
                assert_true(admission_of_instance(&admission, &outlet));
        assert_int_equal(n_lines, 0);
        assert_false(admission_of_instance(&admission, &outlet));
        assert_int_equal(n_lines, 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_in_all),
                cmocka_unit_test(test_descriptors),
                cmocka_unit_test(test_of_a_source),
                cmocka_unit_test(test_of_an_instance),
        };

        return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
