/* SPDX-License-Identifier: MIT */
/* Tests of when files have changed, against who has read them. */
#include "config-dir.h"

#include "ctl/behind.h"
#include "util/clock.h"

/* Who begins to read now has what was changed before, and not what is changed then. */
static void assert_noticed(uint64_t (*changed)(const char *), const char *name)
{
        uint64_t read;

        wait_past(changed(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_false(is_behind(read, changed(dir)));
        put(name, "x");
        assert_true(is_behind(read, changed(dir)));
}

static void test_files(void **state)
{
        (void)state;
        assert_noticed(changed_router, "router.conf");
        assert_noticed(changed_router, "router.conf.d/a.conf");
        assert_noticed(changed_router, "instances/alice.conf");
        assert_noticed(changed_instances, "instances/alice.conf");
        assert_noticed(changed_instances, "instances/bob.conf");
}

static void test_what_is_gone_or_set_back(void **state)
{
        static const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
        char path[DIR_MAX * 2];
        uint64_t read;

        (void)state;
        in_dir(path, "instances/alice.conf");
        put("instances/alice.conf", "x");
        wait_past(changed_instances(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_true(is_behind(read, changed_instances(dir)));
        wait_past(changed_instances(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_int_equal(unlink(path), 0);
        assert_true(is_behind(read, changed_instances(dir)));
}

static void test_nothing_is_there(void **state)
{
        (void)state;
        assert_int_equal(changed_file("/no/such/file"), 0);
        assert_int_equal(changed_router("/no/such/folder"), 0);
        assert_false(is_behind(clock_nsec(CLOCK_REALTIME_COARSE), 0));
}

static void test_when_a_server_has_read(void **state)
{
        static const ServerTimes started = { 2000, 0 }, reloaded = { 2000, 3000 },
                                 again = { 4000, 3000 };

        (void)state;
        assert_int_equal(server_read(&started), 2000 * 1000);
        assert_int_equal(server_read(&reloaded), 3000 * 1000);
        assert_int_equal(server_read(&again), 4000 * 1000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_files, dir_setup, dir_teardown),
                cmocka_unit_test_setup_teardown(test_what_is_gone_or_set_back, dir_setup,
                                                dir_teardown),
                cmocka_unit_test(test_nothing_is_there),
                cmocka_unit_test(test_when_a_server_has_read),
        };

        return cmocka_run_group_tests_name("ctl-behind", tests, NULL, NULL);
}
