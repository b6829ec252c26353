/* SPDX-License-Identifier: MIT */
/* The walk to a file, with another user's rights if we are root, else with our own. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "ctl/ask/access.h"

#define NOBODY 65534

static char folder[64];

static const char *in(const char *name)
{
        static char paths[4][128];
        static size_t next;
        char *path = paths[next++ % ELEMENTSOF(paths)];

        snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
        return path;
}

static void put(const char *name, mode_t mode)
{
        FILE *file = fopen(in(name), "we");

        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
        assert_int_equal(chmod(in(name), mode), 0);
}

static void make(const char *name, mode_t mode)
{
        assert_int_equal(mkdir(in(name), 0700), 0);
        assert_int_equal(chmod(in(name), mode), 0);
}

static int setup(void **state)
{
        snprintf(folder, sizeof(folder), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(folder) && chmod(folder, 0755) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
        char command[256];

        snprintf(command, sizeof(command), "chmod -R u+rwX %s; rm -r %s", folder, folder);
        return system(command);
}

static Identity who(void)
{
        Identity identity = { .uid = geteuid(), .gid = getegid() };

        if (identity.uid == 0)
                identity = (Identity){ .uid = NOBODY, .gid = NOBODY };
        return identity;
}

static void ask(const char *path, int mode, const char *replaced, Access *ret)
{
        const char *const list[] = { replaced, NULL };
        const Identity identity = who();

        assert_int_equal(access_ask(&identity, list, path, mode, ret), 0);
}

static void assert_reachable(const char *path, int mode, const char *replaced)
{
        Access access;

        ask(path, mode, replaced, &access);
        if (access.error != 0)
                fail_msg("%s: %s at %s", path, strerror(-access.error), access.obstacle);
}

static void assert_obstacle(const char *path, int mode, int error, const char *obstacle)
{
        Access access;

        ask(path, mode, NULL, &access);
        assert_int_equal(access.error, error);
        assert_string_equal(access.obstacle, obstacle);
}

static void test_reachable(void **state)
{
        make("open", 0755);
        put("open/file", 0644);
        put("open/program", 0755);
        assert_reachable(in("open/file"), R_OK, NULL);
        assert_reachable(in("open"), R_OK | X_OK, NULL);
        assert_reachable(in("open/program"), X_OK, NULL);
        assert_reachable(in("open//.././open/./file"), R_OK, NULL);
        assert_obstacle(in("open/file"), R_OK | X_OK, -EACCES, in("open/file"));
        assert_obstacle(in("open/none"), R_OK, -ENOENT, in("open/none"));
        assert_obstacle(in("none/none"), R_OK, -ENOENT, in("none"));
        assert_obstacle(in("open/file/x"), R_OK, -ENOTDIR, in("open/file"));
}

static void test_closed(void **state)
{
        Access access;

        make("closed", geteuid() == 0 ? 0700 : 0600);
        assert_obstacle(in("closed"), X_OK, -EACCES, in("closed"));
        ask(in("closed/file"), R_OK, NULL, &access);
        assert_int_not_equal(access.error, 0);
        put("file", 0000);
        ask(in("file"), R_OK, NULL, &access);
        assert_int_equal(access.error, -EACCES);
        assert_true(S_ISREG(access.stat.st_mode));
}

static void test_closed_on_the_way(void **state)
{
        make("a", 0755);
        make("a/b", 0755);
        put("a/b/file", 0644);
        assert_int_equal(chmod(in("a"), geteuid() == 0 ? 0700 : 0600), 0);
        assert_obstacle(in("a/b/file"), R_OK, -EACCES, in("a"));
        /* What the sandbox puts another one in place of does not count; root alone can look behind
         * it. */
        if (geteuid() == 0) {
                assert_reachable(in("a/b/file"), R_OK, in("a"));
                assert_int_equal(chmod(in("a/b"), 0700), 0);
                assert_obstacle(in("a/b/file"), R_OK, -EACCES, in("a"));
        }
}

static void test_links(void **state)
{
        Access access;

        make("a", 0755);
        put("a/file", 0644);
        assert_int_equal(symlink("file", in("a/relative")), 0);
        assert_int_equal(symlink("../a/relative", in("a/up")), 0);
        assert_int_equal(symlink(in("a"), in("absolute")), 0);
        assert_int_equal(symlink("loop", in("loop")), 0);
        assert_int_equal(symlink("gone", in("dangling")), 0);
        assert_reachable(in("a/relative"), R_OK, NULL);
        assert_reachable(in("a/up"), R_OK, NULL);
        assert_reachable(in("absolute/up"), R_OK, NULL);
        assert_obstacle(in("dangling"), R_OK, -ENOENT, in("gone"));
        ask(in("loop"), R_OK, NULL, &access);
        assert_int_equal(access.error, -ELOOP);
        make("vault", 0755);
        put("vault/file", 0644);
        assert_int_equal(chmod(in("vault"), geteuid() == 0 ? 0700 : 0600), 0);
        assert_int_equal(symlink(in("vault/file"), in("a/to-vault")), 0);
        assert_obstacle(in("a/to-vault"), R_OK, -EACCES, in("vault"));
}

/* Makes a link whose target goes down and up again as often as fits, and then leads on. */
static void make_detour(const char *name, const char *leads)
{
        static const char step[] = "a/../";
        char target[PATH_MAX] = "";
        size_t length = 0;

        while (length + strlen(step) + strlen(leads) < sizeof(target) - 256) {
                (void)strcpy(target + length, step);
                length += strlen(step);
        }
        (void)strcpy(target + length, leads);
        assert_int_equal(symlink(target, in(name)), 0);
}

/* With 40 links, the kernel may have to follow so many parts (here 30000) that this takes
 * seconds. */
static void test_detours(void **state)
{
        Access access;

        make("a", 0755);
        put("file", 0644);
        for (int i = 0; i < 39; i++) {
                char from[16], to[16];

                snprintf(from, sizeof(from), "l%d", i);
                snprintf(to, sizeof(to), "l%d", i - 1);
                make_detour(from, i == 0 ? "file" : to);
        }
        assert_int_equal(faccessat(AT_FDCWD, in("l38"), R_OK, 0), 0);
        ask(in("l38"), R_OK, NULL, &access);
        assert_int_equal(access.error, -ELOOP);
}

static void test_groups(void **state)
{
        Identity identity = {
                .uid = NOBODY - 1, .gid = NOBODY - 1, .groups = { 12345 }, .n_groups = 1
        };
        const char *const nothing[] = { NULL };
        Access access;

        put("file", 0640);
        if (geteuid() != 0) {
                assert_int_equal(access_ask(&identity, nothing, in("file"), R_OK, &access), -EPERM);
                return;
        }
        assert_int_equal(chown(in("file"), 0, 12345), 0);
        assert_int_equal(access_ask(&identity, nothing, in("file"), R_OK, &access), 0);
        assert_int_equal(access.error, 0);
        identity.n_groups = 0;
        assert_int_equal(access_ask(&identity, nothing, in("file"), R_OK, &access), 0);
        assert_int_equal(access.error, -EACCES);
}

/* Afterwards this process has its own rights again, and no descriptor more. */
static void test_nothing_is_left(void **state)
{
        const size_t fds = count_fds();
        gid_t before[ACCESS_GROUPS_MAX], after[ACCESS_GROUPS_MAX];
        const int n = getgroups(ACCESS_GROUPS_MAX, before);

        put("a", 0644);
        put("b", 0600);
        assert_reachable(in("a"), R_OK, NULL);
        if (geteuid() == 0)
                assert_obstacle(in("b"), R_OK, -EACCES, in("b"));
        assert_int_equal(count_fds(), fds);
        assert_int_equal(setfsuid((uid_t)-1), geteuid());
        assert_int_equal(setfsgid((gid_t)-1), getegid());
        assert_int_equal(getgroups(ACCESS_GROUPS_MAX, after), n);
        assert_memory_equal(before, after, (size_t)n * sizeof(gid_t));
        assert_int_equal(faccessat(AT_FDCWD, in("b"), R_OK, AT_EACCESS), 0);
}

static void assert_roots(const char *path, int error, const char *obstacle)
{
        Access access;

        assert_int_equal(access_ask_roots(path, &access), 0);
        assert_int_equal(access.error, error);
        if (error < 0)
                assert_string_equal(access.obstacle, obstacle);
}

/* Where somebody else can change a part of the way, the file is whatever they like. */
static void test_only_root_can_change(void **state)
{
        const bool is_root = geteuid() == 0;

        make("roots", 0755);
        put("roots/key", 0600);
        assert_roots(in("roots/key"), 0, NULL);
        assert_roots(in("roots/none"), -ENOENT, in("roots/none"));
        assert_int_equal(symlink("roots/key", in("roots-link")), 0);
        assert_roots(in("roots-link"), 0, NULL);
        assert_int_equal(chmod(in("roots"), 0777), 0);
        assert_roots(in("roots/key"), -EPERM, in("roots"));
        assert_roots(in("roots-link"), -EPERM, in("roots"));
        /* The group's bits are the mask of an ACL, if there is one, for every group. */
        assert_int_equal(chmod(in("roots"), 0775), 0);
        assert_roots(in("roots/key"), -EPERM, in("roots"));
        assert_int_equal(chmod(in("roots"), 01777), 0);
        assert_roots(in("roots/key"), 0, NULL);
        assert_int_equal(chmod(in("roots/key"), 0622), 0);
        assert_roots(in("roots/key"), -EPERM, in("roots/key"));
        assert_int_equal(chmod(in("roots/key"), 0600), 0);
        if (!is_root)
                return;
        assert_int_equal(lchown(in("roots-link"), NOBODY, NOBODY), 0);
        assert_roots(in("roots-link"), -EPERM, in("roots-link"));
        assert_int_equal(chown(in("roots/key"), NOBODY, NOBODY), 0);
        assert_roots(in("roots/key"), -EPERM, in("roots/key"));
        assert_int_equal(chmod(in("roots"), 0755), 0);
        assert_int_equal(chown(in("roots"), NOBODY, 0), 0);
        assert_roots(in("roots/key"), -EPERM, in("roots"));
}

static void assert_fixed(const char *path, int error, const char *obstacle)
{
        Access access;

        assert_int_equal(access_ask_fixed(path, &access), 0);
        assert_int_equal(access.error, error);
        if (error < 0)
                assert_string_equal(access.obstacle, obstacle);
}

/* The folder itself may be of somebody else, but not a folder or a link on the way to it. */
static void test_path_is_fixed(void **state)
{
        make("roots", 0755);
        make("roots/shared", 0777);
        make("roots/shared/x", 0755);
        assert_int_equal(symlink("roots/shared", in("link")), 0);
        assert_fixed(in("roots/shared"), 0, NULL);
        assert_fixed(in("link"), 0, NULL);
        assert_fixed(in("roots/none"), 0, NULL);
        assert_fixed(in("none/none"), 0, NULL);
        assert_fixed(in("roots/shared/x"), -EPERM, in("roots/shared"));
        assert_fixed(in("roots/shared/none"), -EPERM, in("roots/shared"));
        assert_fixed(in("link/x"), -EPERM, in("roots/shared"));
        assert_fixed("/tmp/bellhop-is-not-there", -EPERM, "/tmp");
        if (geteuid() != 0)
                return;
        assert_int_equal(chmod(in("roots/shared"), 0755), 0);
        assert_int_equal(chown(in("roots/shared"), NOBODY, NOBODY), 0);
        assert_fixed(in("roots/shared"), 0, NULL);
        assert_fixed(in("roots/shared/x"), -EPERM, in("roots/shared"));
        assert_int_equal(chmod(in("roots"), 01777), 0);
        assert_fixed(in("roots/shared"), -EPERM, in("roots"));
        assert_int_equal(chmod(in("roots"), 0755), 0);
        assert_int_equal(lchown(in("link"), NOBODY, NOBODY), 0);
        assert_fixed(in("link"), -EPERM, in("link"));
}

/* access_open() opens the file that it asked about, even if another file now has its name. */
static void test_opened_file_is_the_one_that_was_asked_about(void **state)
{
        const char *const nothing[] = { NULL };
        const Identity identity = who();
        struct stat st;
        Access access;
        int fd = -EBADF;

        put("file", 0644);
        put("other", 0600);
        assert_int_equal(access_open(&identity, nothing, in("file"), R_OK, &access, &fd), 0);
        assert_int_equal(rename(in("other"), in("file")), 0);
        assert_int_equal(fstat(fd, &st), 0);
        assert_int_equal(st.st_ino, access.stat.st_ino);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(close(fd), 0);
        fd = -EBADF;
        if (identity.uid != geteuid()) {
                assert_int_equal(access_open(&identity, nothing, in("file"), R_OK, &access, &fd),
                                 0);
                assert_int_equal(access.error, -EACCES);
        }
        assert_int_equal(fd, -EBADF);
}

static void test_identity(void **state)
{
        Identity identity;

        assert_true(identity_of("root", &identity));
        assert_int_equal(identity.uid, 0);
        assert_true(identity.n_groups >= 1);
        assert_false(identity_of("nobody-has-this-name", &identity));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_reachable),
                TEST(test_closed),
                TEST(test_closed_on_the_way),
                TEST(test_links),
                TEST(test_detours),
                TEST(test_groups),
                TEST(test_nothing_is_left),
                TEST(test_only_root_can_change),
                TEST(test_path_is_fixed),
                TEST(test_opened_file_is_the_one_that_was_asked_about),
                TEST(test_identity),
        };

        return cmocka_run_group_tests_name("ctl-access", tests, NULL, NULL);
}
