/* SPDX-License-Identifier: MIT */
/* Tests of what an instance says of itself: the text, and the file that nobody can misuse. */
#include "unit.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "instance/state.h"

static const State ready = {
        .kind = STATE_READY,
        .n_open = 3,
        .n_handoffs = UINT64_MAX,
        .last_handoff_usec = 1764000000000000,
        .read_usec = 1763000000000000,
        .others = UINT64_MAX,
        .reload_usec = 77,
        .reload = STATE_RELOAD_FAILED,
};

static int set_up(void **state)
{
        char *dir = strdup("/tmp/bellhop-test-state-XXXXXX");

        assert_non_null(dir);
        assert_non_null(mkdtemp(dir));
        assert_int_equal(chdir(dir), 0);
        *state = dir;
        return 0;
}

static int tear_down(void **state)
{
        (void)unlink(STATE_FILE);
        (void)unlink(STATE_FILE ".new");
        (void)unlink("elsewhere");
        assert_int_equal(rmdir(*state), 0);
        free(*state);
        return 0;
}

static void assert_state_equal(const State *a, const State *b)
{
        assert_int_equal(a->kind, b->kind);
        assert_true(a->n_open == b->n_open && a->n_handoffs == b->n_handoffs);
        assert_true(a->last_handoff_usec == b->last_handoff_usec && a->read_usec == b->read_usec);
        assert_true(a->others == b->others && a->reload_usec == b->reload_usec);
        assert_true(a->reload == b->reload);
}

static void test_text(void **state)
{
        char text[STATE_MAX_BYTES];
        const size_t size = state_format(&ready, text);
        State again;

        assert_true(state_parse(guarded_span(text, size), &again));
        assert_state_equal(&again, &ready);
        for (size_t i = 0; i < size; i++)
                (void)state_parse(guarded_span(text, i), &again);
}

static void test_other_texts(void **state)
{
        static const char *const bad[] = {
                "",
                "VERSION=1\n",
                "STATE=ready\n",
                "VERSION=2\nSTATE=ready\n",
                "VERSION=1\nSTATE=happy\n",
                "VERSION=1\nSTATE=ready\nHANDOFFS=-1\n",
                "VERSION=1\nSTATE=ready\nHANDOFFS=\n",
                "VERSION=1\nSTATE=ready\nHANDOFFS=18446744073709551616\n",
                "VERSION=1\nSTATE=ready\n[Section]\n",
                "VERSION=1\nSTATE=ready\nno assignment\n",
        };
        State kept = ready;

        for (size_t i = 0; i < ELEMENTSOF(bad); i++)
                assert_false(state_parse(span_from_string(bad[i]), &kept));
        assert_state_equal(&kept, &ready);
        assert_true(state_parse(span_from_string("VERSION=1\nSTATE=stopping\nLATER=x\n"), &kept));
        assert_int_equal(kept.kind, STATE_STOPPING);
        assert_int_equal(kept.n_handoffs, 0);
}

static void test_file(void **state)
{
        State again;

        assert_int_equal(state_read(*state, &again), -ENOENT);
        assert_int_equal(state_write(*state, &ready), 0);
        assert_int_equal(state_read(*state, &again), 0);
        assert_state_equal(&again, &ready);
        assert_int_equal(state_read("/nonexistent", &again), -ENOENT);
}

/* The folder is the customer's: what they put there harms nobody who reads it. */
static void test_file_of_a_hostile_customer(void **state)
{
        const size_t before = count_fds();
        State again;
        int fd;

        assert_int_equal(symlink("/dev/zero", STATE_FILE), 0);
        assert_int_equal(state_read(*state, &again), -ELOOP);
        assert_int_equal(unlink(STATE_FILE), 0);
        assert_int_equal(mkfifo(STATE_FILE, 0666), 0);
        assert_int_equal(state_read(*state, &again), -EBADMSG);
        assert_int_equal(unlink(STATE_FILE), 0);
        fd = open(STATE_FILE, O_WRONLY | O_CREAT, 0666);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, INT64_C(1) << 40), 0);
        assert_int_equal(state_read(*state, &again), -EBADMSG);
        close_fd(fd);

        /* Nor does the writer follow them. */
        assert_int_equal(symlink("elsewhere", STATE_FILE ".new"), 0);
        assert_int_equal(state_write(*state, &ready), -ELOOP);
        assert_int_equal(access("elsewhere", F_OK), -1);
        assert_int_equal(count_fds(), before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_other_texts),
                cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_file_of_a_hostile_customer, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
