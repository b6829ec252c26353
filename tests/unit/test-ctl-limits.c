/* SPDX-License-Identifier: MIT */
/* Tests of what limits are read from text, and of quotas, with a kernel of our own. */
#include "unit.h"

#include <linux/quota.h>
#include <stdarg.h>
#include <sys/syscall.h>

#include "ctl/ask/limits.h"

/* --- the kernel --- */

#define OF_USERS(command) ((unsigned)(command) << SUBCMDSHIFT | USRQUOTA)
#define CUSTOMER          1234

static struct if_dqblk kept;
static int kernel_error;

long syscall(long number, ...)
{
        va_list args;
        unsigned command;
        uid_t uid;
        struct if_dqblk *block;

        assert_int_equal(number, SYS_quotactl_fd);
        va_start(args, number);
        assert_true(va_arg(args, int) >= 0);
        command = va_arg(args, unsigned);
        uid = va_arg(args, uid_t);
        block = va_arg(args, struct if_dqblk *);
        va_end(args);
        assert_int_equal(uid, CUSTOMER);
        errno = kernel_error;
        if (kernel_error)
                return -1;
        if (command == OF_USERS(Q_GETQUOTA)) {
                *block = kept;
                return 0;
        }
        assert_int_equal(command, OF_USERS(Q_SETQUOTA));
        /* Nothing else of it is taken. */
        assert_int_equal(block->dqb_valid, QIF_BLIMITS);
        kept.dqb_bhardlimit = block->dqb_bhardlimit;
        kept.dqb_bsoftlimit = block->dqb_bsoftlimit;
        return 0;
}

static void test_quota(void **state)
{
        Quota quota;

        (void)state;
        kept = (struct if_dqblk){ .dqb_curspace = 4711, .dqb_ihardlimit = 5 };
        assert_int_equal(quota_get("/", CUSTOMER, &quota), QUOTA_ON);
        assert_true(quota.used == 4711 && quota.max == UINT64_MAX);

        assert_int_equal(quota_set("/", CUSTOMER, (1 << 20) + 1), QUOTA_ON);
        assert_int_equal(kept.dqb_bhardlimit, 1025);
        assert_int_equal(kept.dqb_bsoftlimit, 0);
        assert_int_equal(quota_get("/", CUSTOMER, &quota), QUOTA_ON);
        assert_int_equal(quota.max, 1025 << 10);
        assert_int_equal(quota_round((1 << 20) + 1), quota.max);
        assert_int_equal(quota_round(quota.max), quota.max);
        assert_true(quota_round(UINT64_MAX) == UINT64_MAX);

        assert_int_equal(quota_set("/", CUSTOMER, UINT64_MAX), QUOTA_ON);
        assert_int_equal(kept.dqb_bhardlimit, 0);
        assert_int_equal(kept.dqb_ihardlimit, 5);
}

static void test_quota_that_is_off(void **state)
{
        static const int off[] = { ESRCH, ENOSYS, ENOTSUP, ENODEV, ENOTBLK };
        Quota quota;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(off); i++) {
                kernel_error = off[i];
                assert_int_equal(quota_get("/", CUSTOMER, &quota), QUOTA_OFF);
        }
        kernel_error = EPERM;
        assert_int_equal(quota_get("/", CUSTOMER, &quota), -EPERM);
        assert_int_equal(quota_set("/", CUSTOMER, 1 << 20), -EPERM);
        assert_int_equal(quota_get("/no/such/folder", CUSTOMER, &quota), -ENOENT);
        kernel_error = 0;
}

/* --- text --- */

static const struct {
        LimitKind kind;
        const char *text;
        uint64_t value; /* 0: it is not right */
} cases[] = {
        { LIMIT_MEMORY, "1G", UINT64_C(1) << 30 },
        { LIMIT_MEMORY, "16M", 16 << 20 },
        { LIMIT_MEMORY, "16777216", 16 << 20 },
        { LIMIT_MEMORY, "16384K", 16 << 20 },
        { LIMIT_DISK, "2T", UINT64_C(2) << 40 },
        /* Forgotten letters would end every program. */
        { LIMIT_MEMORY, "1", 0 },
        { LIMIT_MEMORY, "15M", 0 },
        { LIMIT_MEMORY, "16777217T", 0 },
        { LIMIT_MEMORY, "18446744073709551615", 0 },
        { LIMIT_MEMORY, "1GB", 0 },
        { LIMIT_MEMORY, "1g", 0 },
        { LIMIT_MEMORY, "50%", 0 },
        { LIMIT_MEMORY, "infinity", 0 },
        { LIMIT_MEMORY, "-1G", 0 },
        { LIMIT_MEMORY, "1.5G", 0 },
        { LIMIT_MEMORY, "G", 0 },
        { LIMIT_MEMORY, " 1G", 0 },
        { LIMIT_CPU, "150%", 1500000 },
        { LIMIT_CPU, "50", 500000 },
        { LIMIT_CPU, "12.5%", 125000 },
        { LIMIT_CPU, "12.05", 120500 },
        { LIMIT_CPU, "0%", 0 },
        { LIMIT_CPU, "0.5%", 0 },
        { LIMIT_CPU, "1.125%", 0 },
        { LIMIT_CPU, "1.", 0 },
        { LIMIT_CPU, ".5", 0 },
        { LIMIT_CPU, "%", 0 },
        { LIMIT_CPU, "1%%", 0 },
        { LIMIT_CPU, "1000001", 0 },
        { LIMIT_TASKS, "200", 200 },
        { LIMIT_TASKS, "15", 0 },
        { LIMIT_TASKS, "2147483648", 0 },
        { LIMIT_TASKS, "50%", 0 },
};

static void test_text(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint64_t value = 0;

                assert_int_equal(limit_parse(cases[i].kind, cases[i].text, &value),
                                 cases[i].value > 0);
                if (cases[i].value > 0)
                        assert_int_equal(value, cases[i].value);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_quota),
                cmocka_unit_test(test_quota_that_is_off),
                cmocka_unit_test(test_text),
        };

        return cmocka_run_group_tests_name("ctl-limits", tests, NULL, NULL);
}
