/* SPDX-License-Identifier: MIT */
/* Tests of the list of configuration files in a folder. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/folder.h"

static char dir[64];

static int setup(void **state)
{
        snprintf(dir, sizeof(dir), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
        char command[128];

        snprintf(command, sizeof(command), "rm -rf %s", dir);
        return system(command);
}

static void put(const char *name)
{
        char path[512];
        int fd;

        snprintf(path, sizeof(path), "%s/%s", dir, name);
        fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        assert_true(fd >= 0);
        close_fd(fd);
}

/* By bytes and without the suffix: else "a-b.conf" would be before "a.conf". */
static void test_order(void **state)
{
        static const char *const files[] = { "b.conf",  "a-b.conf", "a.conf", "B.conf",
                                             "10.conf", "9.conf",   "ab.conf" };
        static const char *const expected[] = { "10", "9", "B", "a", "a-b", "ab", "b" };
        Folder folder;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                put(files[i]);
        assert_int_equal(folder_list(dir, &folder), 0);
        assert_int_equal(folder.n, ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++)
                assert_string_equal(folder.entries[i]->d_name, expected[i]);
        folder_done(&folder);
        assert_int_equal(folder.n, 0);
}

static void test_other_files(void **state)
{
        static const char *const files[] = { "a.conf.off", ".conf",  ".a.conf", "a.conf~",
                                             "conf",       "a.CONF", "aconf" };
        Folder folder;

        for (size_t i = 0; i < ELEMENTSOF(files); i++)
                put(files[i]);
        assert_int_equal(folder_list(dir, &folder), 0);
        assert_int_equal(folder.n, 0);
        folder_done(&folder);
}

static void test_no_folder(void **state)
{
        Folder folder = { .n = 99 };
        char path[128];

        snprintf(path, sizeof(path), "%s/none", dir);
        assert_int_equal(folder_list(path, &folder), 0);
        assert_int_equal(folder.n, 0);
        put("file");
        snprintf(path, sizeof(path), "%s/file", dir);
        assert_int_equal(folder_list(path, &folder), -ENOTDIR);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_files, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_folder, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
