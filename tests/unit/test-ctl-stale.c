/* SPDX-License-Identifier: MIT */
/* Tests of when files have changed, and whether a process has read them since. */
#include "config-dir.h"

#include "ctl/ask/stale.h"
#include "instance/state.h"
#include "util/clock.h"

/* A process that begins to read now has what was changed before, and not what is changed then. */
static void assert_noticed(uint64_t (*changed)(const char *), const char *name)
{
        uint64_t read;

        wait_past(changed(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_false(is_stale(read, changed(dir)));
        put(name, "x");
        assert_true(is_stale(read, changed(dir)));
}

static void test_files(void **state)
{
        (void)state;
        assert_noticed(changed_router, "router.conf");
        assert_noticed(changed_router, "router.conf.d/a.conf");
        assert_noticed(changed_router, "instances/alice.conf");
        assert_noticed(changed_router, "instances/bob.conf");
}

static void test_what_is_gone_or_set_back(void **state)
{
        static const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
        char path[DIR_MAX * 2];
        uint64_t read;

        (void)state;
        in_dir(path, "instances/alice.conf");
        put("instances/alice.conf", "x");
        wait_past(changed_router(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        assert_true(is_stale(read, changed_router(dir)));
        wait_past(changed_router(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        assert_int_equal(unlink(path), 0);
        assert_true(is_stale(read, changed_router(dir)));
}

static uint64_t changed_alice(const char *folder)
{
        static char *host = (char *)"alice.example";
        static const Hosts hosts = { .hosts = &host, .n_hosts = 1 };
        uint64_t tls_made;

        return changed_instance(folder, "alice", &hosts, &tls_made);
}

static void test_what_is_one_instances_own(void **state)
{
        uint64_t read = clock_nsec(CLOCK_REALTIME_COARSE), tls_made;
        char path[DIR_MAX * 2];

        (void)state;
        make_folder("sites");
        make_folder("sites/alice");
        make_folder("tls");
        assert_false(is_stale(read, changed_instance(dir, "alice", NULL, &tls_made)));
        assert_int_equal(tls_made, 0);
        make_folder("tls/alice");
        (void)changed_instance(dir, "alice", NULL, &tls_made);
        assert_true(is_stale(read, tls_made));
        assert_noticed(changed_alice, "sites/alice/a.conf");
        assert_noticed(changed_alice, "tls/alice/privkey.pem");
        wait_past(changed_alice(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        make_folder("sites/bob");
        assert_false(is_stale(read, changed_alice(dir)));
        in_dir(path, "sites/alice/a.conf");
        assert_int_equal(unlink(path), 0);
        assert_true(is_stale(read, changed_alice(dir)));
}

/* A customer can make any number of other files in this folder, and links that take a long time. */
static void test_only_files_that_the_server_reads(void **state)
{
        char path[DIR_MAX * 2];
        uint64_t read;

        (void)state;
        make_folder("tls");
        make_folder("tls/alice");
        make_folder("tls/alice/alice.example");
        make_folder("tls/alice/bob.example");
        put("tls/alice/other.pem", "x");
        assert_noticed(changed_alice, "tls/alice/fullchain.pem");
        assert_noticed(changed_alice, "tls/alice/privkey.pem");
        assert_noticed(changed_alice, "tls/alice/alice.example/fullchain.pem");
        assert_noticed(changed_alice, "tls/alice/alice.example/privkey.pem");
        put("elsewhere", "x");
        in_dir(path, "tls/alice/privkey.pem");
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("../../elsewhere", path), 0);
        wait_past(changed_alice(dir));
        read = clock_nsec(CLOCK_REALTIME_COARSE);
        put("tls/alice/other.pem", "y");
        put("tls/alice/bob.example/privkey.pem", "x");
        put("elsewhere", "y");
        assert_false(is_stale(read, changed_alice(dir)));
}

static void test_nothing_is_there(void **state)
{
        uint64_t tls_made;

        (void)state;
        assert_int_equal(changed_instance("/no/such/folder", "alice", NULL, &tls_made), 0);
        assert_int_equal(changed_file("/no/such/file"), 0);
        assert_int_equal(changed_router("/no/such/folder"), 0);
        assert_false(is_stale(clock_nsec(CLOCK_REALTIME_COARSE), 0));
}

/* The word of an instance, in a runtime folder "dir/run". */
static uint64_t read_of(const char *state_file)
{
        char run[DIR_MAX * 2];

        in_dir(run, "run");
        if (state_file)
                put("run/" STATE_FILE, state_file);
        return stale_read_files(run).nsec;
}

/* Of an instance whose others are 4. */
static void assert_others(const char *state_file, bool lacks)
{
        const Instance instance = { .others = 4 };
        char run[DIR_MAX * 2];
        ReadFiles read;

        in_dir(run, "run");
        if (state_file)
                put("run/" STATE_FILE, state_file);
        read = stale_read_files(run);
        assert_int_equal(lacks_others(&read, &instance), lacks);
}

static void test_when_an_instance_has_read(void **state)
{
        static const char *const nothing[] = {
                "",
                "VERSION=1\nSTATE=ready\nREAD_USEC=0\n",
                "VERSION=1\nSTATE=ready\nREAD_USEC=1\n",
                "VERSION=1\nSTATE=ready\nREAD_USEC=18446744073709551615\n",
                "VERSION=1\nSTATE=ready\nREAD_USEC=-1\n",
                "VERSION=2\nSTATE=ready\nREAD_USEC=1700000000000000\n",
                "STATE=ready\nREAD_USEC=1700000000000000\n",
                "[Instance]\nHost=alice.example\n",
        };
        char path[DIR_MAX * 2];

        (void)state;
        assert_true(stale_read_files(NULL).nsec == UNKNOWN);
        assert_true(read_of(NULL) == UNKNOWN);
        make_folder("run");
        assert_true(read_of(NULL) == UNKNOWN);
        for (size_t i = 0; i < ELEMENTSOF(nothing); i++)
                assert_true(read_of(nothing[i]) == UNKNOWN);
        /* Files may have the time of a tick before. */
        assert_int_equal(read_of("VERSION=1\nSTATE=ready\nREAD_USEC=1700000000000000\n"),
                         UINT64_C(1699999999990000) * 1000);
        assert_others("VERSION=1\nSTATE=ready\nREAD_USEC=1700000000000000\nOTHERS=3\n", true);
        assert_others("VERSION=1\nSTATE=reloading\nREAD_USEC=1700000000000000\nOTHERS=4\n", false);
        assert_others("VERSION=1\nSTATE=starting\nREAD_USEC=1700000000000000\n", false);
        in_dir(path, "run/" STATE_FILE);
        assert_int_equal(unlink(path), 0);
        assert_others(NULL, false);
        assert_int_equal(mkfifo(path, 0644), 0);
        assert_true(read_of(NULL) == UNKNOWN);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(symlink("/etc/passwd", path), 0);
        assert_true(read_of(NULL) == UNKNOWN);
}

/* Unknown times cause no action. */
static void test_unknown_is_not_stale(void **state)
{
        (void)state;
        assert_false(is_stale(UNKNOWN, 1));
        assert_false(is_stale(UNKNOWN, clock_nsec(CLOCK_REALTIME_COARSE)));
        assert_false(is_stale(UNKNOWN, UINT64_MAX));
        assert_true(is_stale(0, 1));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_files, dir_setup, dir_teardown),
                cmocka_unit_test_setup_teardown(test_what_is_gone_or_set_back, dir_setup,
                                                dir_teardown),
                cmocka_unit_test_setup_teardown(test_what_is_one_instances_own, dir_setup,
                                                dir_teardown),
                cmocka_unit_test_setup_teardown(test_only_files_that_the_server_reads, dir_setup,
                                                dir_teardown),
                cmocka_unit_test(test_nothing_is_there),
                cmocka_unit_test_setup_teardown(test_when_an_instance_has_read, dir_setup,
                                                dir_teardown),
                cmocka_unit_test(test_unknown_is_not_stale),
        };

        return cmocka_run_group_tests_name("ctl-stale", tests, NULL, NULL);
}
