/* SPDX-License-Identifier: MIT */
/* When a wait for a certificate ends, and how. */
#include <fcntl.h>

#include "ctl/change/acme.h"
#include "unit.h"
#include "util/clock.h"
#include "util/folder-watch.h"

#define BEGIN UINT64_C(1000)

static AcmeVerdict judge(AcmeState before, AcmeState now, bool is_changed)
{
        return acme_judge(&before, &now, is_changed, BEGIN);
}

static void test_first_certificate(void **state)
{
        const AcmeState none = { .tried = 0 };
        AcmeFailure failure = { (char *)"a.example", (char *)"DNS", false };

        assert_int_equal(judge(none, none, true), ACME_WAITS);
        assert_int_equal(judge(none, none, false), ACME_WAITS);
        /* An order has begun. */
        assert_int_equal(judge(none, (AcmeState){ .n_orders = 1, .orders = { 1001 } }, true),
                         ACME_WAITS);
        assert_int_equal(judge(none, (AcmeState){ .tried = 1001, .certificate = "aa" }, true),
                         ACME_HAS_CERTIFICATE);
        assert_int_equal(judge(none, (AcmeState){ .tried = 1001, .error = (char *)"no" }, true),
                         ACME_HAS_FAILED);
        /* No host is good for a certificate. */
        assert_int_equal(
                judge(none,
                      (AcmeState){ .tried = 1001, .failures = &failure, .n_failures_of_hosts = 1 },
                      true),
                ACME_HAS_FAILED);
        assert_int_equal(judge(none,
                               (AcmeState){ .tried = 1001,
                                            .certificate = "aa",
                                            .failures = &failure,
                                            .n_failures_of_hosts = 1 },
                               true),
                         ACME_LACKS_HOSTS);
}

static void test_another_certificate(void **state)
{
        const AcmeState good = { .tried = 900, .certificate = "aa", .wanted = "11" };
        const AcmeState bad = { .tried = 900, .wanted = "11", .error = (char *)"no" };
        const AcmeState late = { .tried = BEGIN, .wanted = "11", .error = (char *)"no" };

        /* What was there before the change says nothing about it. */
        assert_int_equal(judge(good, good, true), ACME_WAITS);
        assert_int_equal(judge(bad, bad, true), ACME_WAITS);
        assert_int_equal(judge(good, good, false), ACME_HAS_CERTIFICATE);
        assert_int_equal(judge(bad, bad, false), ACME_HAS_FAILED);
        assert_int_equal(judge(good,
                               (AcmeState){ .tried = 1001, .certificate = "bb", .wanted = "22" },
                               true),
                         ACME_HAS_CERTIFICATE);
        /* The old certificate stays where a try has failed. */
        assert_int_equal(judge(good,
                               (AcmeState){ .tried = 1001,
                                            .certificate = "aa",
                                            .wanted = "22",
                                            .error = (char *)"no" },
                               true),
                         ACME_HAS_FAILED);
        /* In the same second as the last one. */
        assert_int_equal(judge(late, late, true), ACME_WAITS);
        assert_int_equal(judge(late,
                               (AcmeState){ .tried = BEGIN, .wanted = "22", .error = (char *)"no" },
                               true),
                         ACME_HAS_FAILED);
}

/* --- the folder --- */

typedef struct Watched {
        char dir[32];
        unsigned n_looks;
} Watched;

static void put(const Watched *watched, const char *name)
{
        char from[64], to[64];
        int fd;

        (void)snprintf(from, sizeof(from), "%s/.new", watched->dir);
        (void)snprintf(to, sizeof(to), "%s/%s", watched->dir, name);
        fd = open(from, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(rename(from, to), 0);
}

/* What is renamed between two looks is seen by the second. */
static int look(void *userdata)
{
        Watched *watched = userdata;

        if (watched->n_looks++ == 0)
                put(watched, "a");
        return watched->n_looks == 2;
}

static int look_in_vain(void *userdata)
{
        return 0;
}

static int look_wrong(void *userdata)
{
        return -EIO;
}

static void test_folder(void **state)
{
        Watched watched = { .dir = "/tmp/bellhop-acme-XXXXXX" };
        char path[64];

        assert_non_null(mkdtemp(watched.dir));
        assert_int_equal(folder_wait(watched.dir, clock_monotonic_usec() + 60000000, look,
                                     &watched),
                         0);
        assert_int_equal(watched.n_looks, 2);
        assert_int_equal(folder_wait(watched.dir, clock_monotonic_usec(), look_in_vain, NULL),
                         -ETIMEDOUT);
        assert_int_equal(folder_wait(watched.dir, clock_monotonic_usec(), look_wrong, NULL), -EIO);
        (void)snprintf(path, sizeof(path), "%s/a", watched.dir);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(watched.dir), 0);
        assert_int_equal(folder_wait(watched.dir, clock_monotonic_usec(), look, NULL), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_certificate),
                cmocka_unit_test(test_another_certificate),
                cmocka_unit_test(test_folder),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
