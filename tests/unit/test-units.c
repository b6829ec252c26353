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
                /* Twice: an unchanged state is not an error. */
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
        /* Twice: existing links are not an error. */
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

static void put(const char *name)
{
        const int fd = open(path_of(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

        assert_true(fd >= 0);
        (void)close(fd);
}

static bool leads_to(const char *link, const char *target)
{
        char text[256];
        const ssize_t n = readlink(path_of(link), text, sizeof(text) - 1);

        text[n > 0 ? n : 0] = 0;
        return strcmp(text, target) == 0;
}

static bool has_line(const char *line)
{
        FILE *file = fopen(path_of("bellhop@.service.d/50-sendmail.conf"), "re");
        char read[512];
        bool found = false;

        while (file && fgets(read, sizeof(read), file)) {
                read[strcspn(read, "\n")] = 0;
                found |= strcmp(read, line) == 0;
        }
        if (file)
                (void)fclose(file);
        return found;
}

/* Only a file that is there is bound over: systemd would make it on the machine. */
static void test_sendmail(void **state)
{
        char sbin[128], copies[128], line[640], target[256];

        (void)snprintf(sbin, sizeof(sbin), "%s/sbin", dir);
        (void)snprintf(copies, sizeof(copies), "%s/copies", dir);
        assert_int_equal(mkdir(sbin, 0755), 0);
        put("sbin/apache2");
        put("elsewhere");
        (void)snprintf(line, sizeof(line), "BindReadOnlyPaths=%s:%s/machine %s/instances:%s", sbin,
                       copies, copies, sbin);
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(units_write_sendmail(dir, sbin, copies), 0);
                assert_true(has_line(line));
                (void)snprintf(target, sizeof(target), "%s/machine/apache2", copies);
                assert_true(leads_to("copies/instances/apache2", target));
                assert_true(leads_to("copies/instances/sendmail", BELLHOP_SENDMAIL));
                /* To the next ones, it is a link out of the folder, and one that leads nowhere. */
                (void)unlink(path_of("sbin/sendmail"));
                assert_int_equal(symlink(i == 0 ? "../elsewhere" : "nowhere",
                                         path_of("sbin/sendmail")),
                                 0);
        }
        (void)unlink(path_of("sbin/sendmail"));
        put("sbin/sendmail");
        (void)snprintf(line, sizeof(line), "BindReadOnlyPaths=-" BELLHOP_SENDMAIL ":%s/sendmail",
                       sbin);
        assert_int_equal(units_write_sendmail(dir, sbin, copies), 0);
        assert_true(has_line(line));
        (void)unlink(path_of("sbin/sendmail"));
        put("sbin/exim4");
        assert_int_equal(symlink("exim4", path_of("sbin/sendmail")), 0);
        assert_int_equal(units_write_sendmail(dir, sbin, copies), 0);
        assert_true(has_line(line));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_drop_in, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sendmail, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wanted_without_drop_in, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
