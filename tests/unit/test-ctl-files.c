/* SPDX-License-Identifier: MIT */
/* Tests of folders that are made whole or not at all. */
#include "unit.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ctl/change/files.h"
#include "util/cleanup.h"

static char dir[64];

static int setup(void **state)
{
        (void)snprintf(dir, sizeof(dir), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command);
}

static bool exists(const char *name)
{
        char path[PATH_MAX];

        (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
        return place_exists(path);
}

static int put(int folder, const char *name)
{
        _cleanup_close_ int fd = openat(folder, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

        return fd < 0 ? -errno : 0;
}

/* Puts files into the folder, as a customer may do, then fails. userdata: a name beside the
 * folder. */
static int fill(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata)
{
        (void)uid;
        (void)gid;
        assert_int_equal(put(folder, "index.html"), 0);
        assert_int_equal(put(folder, ".other"), 0);
        assert_int_equal(symlinkat("../outside", folder, "link"), 0);
        if (!userdata)
                return 0;
        assert_int_equal(symlinkat(userdata, folder, "folder"), 0);
        return strcmp(name, "deep") == 0 && mkdirat(folder, "more", 0700) < 0 ? -errno : -ENOSPC;
}

static int make(const char *name, const void *userdata)
{
        return folder_make(dir, name, geteuid(), getegid(), 0750, fill, userdata);
}

static void test_made(void **state)
{
        assert_int_equal(make("alice", NULL), 0);
        assert_true(exists("alice/index.html") && !exists(".alice.new"));
}

static void test_failed(void **state)
{
        char outside[PATH_MAX];
        int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        assert_int_equal(mkdirat(fd, "beside", 0700), 0);
        assert_int_equal(put(fd, "beside/file"), 0);
        assert_int_equal(put(fd, "outside"), 0);
        close_fd(fd);
        (void)snprintf(outside, sizeof(outside), "%s/beside", dir);
        assert_int_equal(make("alice", outside), -ENOSPC);
        assert_false(exists("alice") || exists(".alice.new"));
        assert_true(exists("outside") && exists("beside/file"));
        /* A folder of the customer is not removed, and prevents nothing. */
        assert_int_equal(make("deep", outside), -ENOSPC);
        assert_true(exists(".deep.new/more") && !exists(".deep.new/link"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_made, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failed, setup, teardown),
        };

        return cmocka_run_group_tests_name("ctl-files", tests, NULL, NULL);
}
