/* SPDX-License-Identifier: MIT */
/* The walk through a document root, whatever a customer has put there. As root, the customer is
 * another user; else the one who runs this. */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ctl/ask/pages.h"

#define NOBODY 65534

static char folder[64];

static const char *in(const char *name)
{
        static char paths[4][256];
        static size_t next;
        char *path = paths[next++ % ELEMENTSOF(paths)];

        snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
        return path;
}

static uid_t customer(void)
{
        return geteuid() == 0 ? NOBODY : geteuid();
}

/* owner: (uid_t)-1 for the present user. */
static void put(const char *name, mode_t mode, uid_t owner)
{
        const int fd = open(in(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(fchown(fd, owner, (gid_t)-1), 0);
        assert_int_equal(fchmod(fd, mode), 0);
        assert_int_equal(close(fd), 0);
}

static void make(const char *name, mode_t mode, uid_t owner)
{
        assert_int_equal(mkdir(in(name), 0700), 0);
        assert_int_equal(chown(in(name), owner, (gid_t)-1), 0);
        assert_int_equal(chmod(in(name), mode), 0);
}

static void look_until(size_t max, uint64_t end_nsec, Pages *ret)
{
        const Identity who = { .uid = customer(), .gid = geteuid() == 0 ? NOBODY : getegid() };

        assert_int_equal(pages_look(&who, folder, max, end_nsec, ret), 0);
}

static void look(size_t max, Pages *ret)
{
        look_until(max, UINT64_MAX, ret);
}

static int setup(void **state)
{
        snprintf(folder, sizeof(folder), "/tmp/bellhop-unit-XXXXXX");
        return mkdtemp(folder) && chown(folder, customer(), (gid_t)-1) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
        char command[256];

        snprintf(command, sizeof(command), "chmod -R u+rwX %s; rm -r %s", folder, folder);
        return system(command);
}

static void test_what_is_noted(void **state)
{
        Pages pages;

        make("a", 0755, customer());
        make("a/.git", 0755, customer());
        put("a/.htaccess", 0644, customer());
        put("a/.git/.htaccess", 0644, customer());
        put("a/x.php", 0644, customer());
        look(100, &pages);
        assert_int_equal(pages.n_seen, 4);
        assert_false(pages.is_cut);
        assert_string_equal(pages.htaccess, in("a"));
        assert_int_equal(pages.htaccess_size, strlen(in("a")) + 1);
        assert_string_equal(pages.php, in("a/x.php"));
        assert_false(pages.php_is_first);
        assert_int_equal(pages.closed.n, 0);
        pages_done(&pages);
        put("index.php", 0644, customer());
        look(100, &pages);
        assert_string_equal(pages.php, in("index.php"));
        assert_true(pages.php_is_first);
        pages_done(&pages);
}

static void test_applications_in_folders(void **state)
{
        Pages pages;

        make("blog", 0755, customer());
        make("blog/admin", 0755, customer());
        make("files", 0755, customer());
        put("index.php", 0644, customer());
        put("blog/index.php", 0644, customer());
        put("blog/admin/index.php", 0644, customer());
        put("files/page.php", 0644, customer());
        look(100, &pages);
        assert_int_equal(pages.n_apps, 1);
        assert_string_equal(pages.apps[0], in("blog"));
        pages_done(&pages);
}

static void test_links_and_devices_are_not_opened(void **state)
{
        Pages pages;

        assert_int_equal(symlink("/etc", in("etc")), 0);
        assert_int_equal(symlink("/dev/zero", in("zero.php")), 0);
        assert_int_equal(symlink(folder, in("again")), 0);
        assert_int_equal(mkfifo(in("fifo.php"), 0600), 0);
        look(100, &pages);
        assert_int_equal(pages.n_seen, 4);
        assert_string_equal(pages.php, "");
        pages_done(&pages);
}

static void test_limit(void **state)
{
        char name[32];
        Pages pages;

        for (int i = 0; i < 30; i++) {
                snprintf(name, sizeof(name), "%d", i);
                make(name, 0755, customer());
                snprintf(name, sizeof(name), "%d/x", i);
                put(name, 0644, customer());
        }
        look(59, &pages);
        assert_int_equal(pages.n_seen, 59);
        assert_true(pages.is_cut);
        pages_done(&pages);
        look(60, &pages);
        assert_false(pages.is_cut);
        pages_done(&pages);
        look(0, &pages);
        assert_true(pages.is_cut);
        pages_done(&pages);
        look_until(60, 0, &pages);
        assert_int_equal(pages.n_seen, 0);
        assert_true(pages.is_cut);
        pages_done(&pages);
}

static void test_closed_by_the_customer(void **state)
{
        Pages pages;

        put("xmlrpc.php", 0, customer());
        make("old", 0, customer());
        look(100, &pages);
        assert_int_equal(pages.closed.n, 0);
        pages_done(&pages);
        /* Which lets nobody in, and can't be meant. */
        make("new", 0644, customer());
        look(100, &pages);
        assert_int_equal(pages.closed.n, 1);
        assert_string_equal(pages.closed.path, in("new"));
        assert_false(pages.closed.is_first);
        pages_done(&pages);
        put("index.html", 0, customer());
        look(100, &pages);
        assert_int_equal(pages.closed.n, 2);
        assert_string_equal(pages.closed.path, in("index.html"));
        assert_true(pages.closed.is_first);
        pages_done(&pages);
}

static void test_closed_by_another(void **state)
{
        Pages pages;

        if (geteuid() != 0)
                skip_test("only root can give files to another");
        put("logo.png", 0600, 0);
        make("images", 0700, 0);
        put("fine.html", 0644, 0);
        make("listed", 0711, 0);
        look(100, &pages);
        assert_int_equal(pages.closed.n, 2);
        pages_done(&pages);
        put("index.html", 0640, 0);
        look(100, &pages);
        assert_int_equal(pages.closed.n, 3);
        assert_string_equal(pages.closed.path, in("index.html"));
        assert_int_equal(pages.closed.stat.st_uid, 0);
        pages_done(&pages);
}

static void test_root_has_its_rights_back(void **state)
{
        Pages pages;

        if (geteuid() != 0)
                skip_test("others have none to lose");
        look(100, &pages);
        pages_done(&pages);
        assert_int_equal(access("/etc/shadow", R_OK | W_OK), 0);
        put("x", 0600, 0);
        assert_int_equal(access(in("x"), R_OK), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
                TEST(test_what_is_noted),
                TEST(test_applications_in_folders),
                TEST(test_links_and_devices_are_not_opened),
                TEST(test_limit),
                TEST(test_closed_by_the_customer),
                TEST(test_closed_by_another),
                TEST(test_root_has_its_rights_back),
        };

        return cmocka_run_group_tests_name("ctl-pages", tests, NULL, NULL);
}
