/* SPDX-License-Identifier: MIT */
/* Tests of when files have changed, against who has read them. */
#include "config-dir.h"

#include "ctl/ask/stale.h"
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

static uint64_t changed_alice(const char *folder)
{
        uint64_t tls_made;

        return changed_site(folder, "alice", &tls_made);
}

static void test_what_is_one_sites_own(void **state)
{
        uint64_t read = clock_nsec(CLOCK_REALTIME_COARSE), tls_made;
        char path[DIR_MAX * 2];

        (void)state;
        make_folder("sites");
        make_folder("sites/alice");
        make_folder("tls");
        assert_false(is_behind(read, changed_site(dir, "alice", &tls_made)));
        assert_int_equal(tls_made, 0);
        make_folder("tls/alice");
        (void)changed_site(dir, "alice", &tls_made);
        assert_true(is_behind(read, tls_made));
        assert_noticed(changed_alice, "sites/alice/a.conf");
        assert_noticed(changed_alice, "tls/alice/privkey.pem");
        wait_past(changed_alice(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        make_folder("sites/bob");
        assert_false(is_behind(read, changed_alice(dir)));
        in_dir(path, "sites/alice/a.conf");
        assert_int_equal(unlink(path), 0);
        assert_true(is_behind(read, changed_alice(dir)));
}

static void test_nothing_is_there(void **state)
{
        uint64_t tls_made;

        (void)state;
        assert_int_equal(changed_site("/no/such/folder", "alice", &tls_made), 0);
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
                cmocka_unit_test_setup_teardown(test_what_is_one_sites_own, dir_setup,
                                                dir_teardown),
                cmocka_unit_test(test_nothing_is_there),
                cmocka_unit_test(test_when_a_server_has_read),
        };

        return cmocka_run_group_tests_name("ctl-behind", tests, NULL, NULL);
}
