/* SPDX-License-Identifier: MIT */
/* Tests of the files that a generator writes. */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "config/units.h"
#include "util/cleanup.h"

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

/* What the drop-in of alice leads to. */
static const char *target(void)
{
        static char text[PATH_MAX];
        const ssize_t n = readlink(path_of("bellhop@alice.service.d/50-network.conf"), text,
                                   sizeof(text) - 1);

        text[n < 0 ? 0 : n] = 0;
        return text;
}

static void test_drop_in(void **state)
{
        /* From each to each. */
        static const Network steps[] = { NETWORK_INTERNET, NETWORK_YES, NETWORK_INTERNET,
                                         NETWORK_NO,       NETWORK_YES, NETWORK_NO };
        static const char *const targets[NETWORKS] = {
                [NETWORK_NO] = "",
                [NETWORK_INTERNET] = BELLHOP_NETWORK_DIR "/internet.conf",
                [NETWORK_YES] = BELLHOP_NETWORK_DIR "/yes.conf",
        };

        for (size_t i = 0; i < ELEMENTSOF(steps); i++) {
                assert_true(units_differ(dir, "alice", steps[i]));
                /* Twice: what is so already is no error. */
                for (int j = 0; j < 2; j++)
                        assert_int_equal(units_write(dir, "alice", steps[i]), 0);
                assert_string_equal(target(), targets[steps[i]]);
                for (Network other = NETWORK_NO; other < NETWORKS; other++)
                        assert_int_equal(units_differ(dir, "alice", other), other != steps[i]);
        }
        assert_false(is_there("bellhop@alice.service.d"));
}

static void test_wanted(void **state)
{
        /* Twice: what is there already is no error. */
        for (int i = 0; i < 2; i++) {
                assert_int_equal(units_write_wanted(dir, "alice", NETWORK_NO), 0);
                assert_int_equal(units_write_wanted(dir, "bob", NETWORK_INTERNET), 0);
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
        assert_int_equal(units_write_wanted(dir, "alice", NETWORK_YES), -ENOTDIR);
        /* Its socket is wanted all the same: it serves, without a network. */
        assert_true(is_wanted("bellhop@alice.socket"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_drop_in, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted_without_drop_in, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
