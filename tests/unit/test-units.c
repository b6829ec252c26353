/* SPDX-License-Identifier: MIT */
/* Tests of the files that a generator writes. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "config/units.h"

static char dir[64];

static int setup(void **state)
{
        snprintf(dir, sizeof(dir), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        char command[128];

        snprintf(command, sizeof(command), "rm -r %s", dir);
        return system(command);
}

static const char *path_of(const char *name)
{
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        return path;
}

static bool is_there(const char *name)
{
        return faccessat(AT_FDCWD, path_of(name), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_wanted(const char *socket)
{
        char name[128];

        snprintf(name, sizeof(name), "bellhop.target.wants/%s", socket);
        return is_there(name);
}

static void test_drop_in(void **state)
{
        assert_true(units_differ(dir, "alice", true));
        assert_int_equal(units_write(dir, "alice", true), 0);
        assert_true(is_there("bellhop@alice.service.d/50-network.conf"));
        assert_false(units_differ(dir, "alice", true));
        assert_true(units_differ(dir, "alice", false));
        assert_int_equal(units_write(dir, "alice", false), 0);
        assert_false(is_there("bellhop@alice.service.d"));
        assert_false(units_differ(dir, "alice", false));
        assert_int_equal(units_write(dir, "alice", false), 0);
}

static void test_wanted(void **state)
{
        /* Twice: what is there already is no error. */
        for (int i = 0; i < 2; i++) {
                assert_int_equal(units_write_wanted(dir, "alice", false), 0);
                assert_int_equal(units_write_wanted(dir, "bob", true), 0);
                assert_true(is_wanted("bellhop@alice.socket"));
                assert_true(is_wanted("bellhop@bob.socket"));
                assert_true(is_there("bellhop@bob.service.d/50-network.conf"));
                assert_false(is_there("bellhop@alice.service.d"));
        }
}

static void test_wanted_without_drop_in(void **state)
{
        const int fd =
                open(path_of("bellhop@alice.service.d"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        close_fd(fd);
        assert_int_equal(units_write_wanted(dir, "alice", true), -ENOTDIR);
        /* Its socket is wanted all the same: it serves, without a network. */
        assert_true(is_wanted("bellhop@alice.socket"));
}

/* As on a full file system. It would be taken for the whole. */
static void test_half_of_a_drop_in_does_not_stay(void **state)
{
        struct rlimit before;

        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        (void)signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, before.rlim_max }), 0);
        assert_int_equal(units_write(dir, "alice", true), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_true(units_differ(dir, "alice", true));
        assert_int_equal(units_write(dir, "alice", true), 0);
        assert_false(units_differ(dir, "alice", true));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_drop_in, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted_without_drop_in, setup, teardown),
                cmocka_unit_test_setup_teardown(test_half_of_a_drop_in_does_not_stay, setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
