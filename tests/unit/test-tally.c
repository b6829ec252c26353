/* SPDX-License-Identifier: MIT */
/* Tests of the counters that an instance's parent and children share, and of their gate. */
#include "unit.h"

#include <sys/eventfd.h>

#include "httpd/tally.h"

#define N_CHILDREN 2

typedef struct Fixture {
        void *memory;
        Tally *tally;
        int bell;
} Fixture;

static int set_up(void **state)
{
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_ptr_not_equal(fixture, NULL);
        fixture->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(fixture->bell >= 0);
        fixture->memory = aligned_alloc(64, (tally_size(N_CHILDREN) + 63) / 64 * 64);
        assert_ptr_not_equal(fixture->memory, NULL);
        memset(fixture->memory, 0, tally_size(N_CHILDREN));
        fixture->tally = tally_init(fixture->memory, N_CHILDREN, fixture->bell);
        *state = fixture;
        return 0;
}

static int tear_down(void **state)
{
        Fixture *fixture = *state;

        close_fd(fixture->bell);
        free(fixture->memory);
        free(fixture);
        return 0;
}

/* How often it was rung since the last call. */
static unsigned n_rings(const Fixture *fixture)
{
        eventfd_t n = 0;

        (void)eventfd_read(fixture->bell, &n);
        return (unsigned)n;
}

static void receive(uint64_t now_usec)
{
        assert_true(tally_reach());
        tally_opened(now_usec);
        tally_taken();
}

static void test_way_of_a_connection(void **state)
{
        const Fixture *fixture = *state;
        TallySum sum;

        tally_join(fixture->tally, 100, 1);
        assert_true(tally_reach());
        assert_int_equal(tally_sum(fixture->tally).n_in_hand, 1);
        tally_missed();
        sum = tally_sum(fixture->tally);
        assert_int_equal(sum.n_in_hand + sum.n_handoffs + sum.n_open, 0);

        assert_true(tally_reach());
        tally_opened(1000);
        sum = tally_sum(fixture->tally);
        assert_int_equal(sum.n_in_hand, 1);
        assert_int_equal(sum.n_open, 1);
        assert_int_equal(sum.n_handoffs, 1);
        assert_int_equal(sum.last_usec, 1000);
        tally_taken();
        assert_int_equal(tally_sum(fixture->tally).n_in_hand, 0);
        tally_ended(3000);
        sum = tally_sum(fixture->tally);
        assert_int_equal(sum.n_open, 0);
        assert_int_equal(sum.n_handoffs, 1);
        assert_int_equal(sum.last_usec, 1000);
        assert_int_equal(sum.ended_usec, 3000);
}

static void test_rings_for_the_first_change(void **state)
{
        const Fixture *fixture = *state;

        tally_join(fixture->tally, 100, 1);
        assert_false(tally_has_changed(fixture->tally));
        for (uint64_t i = 0; i < 100; i++)
                receive(i);
        assert_true(tally_has_changed(fixture->tally));
        assert_int_equal(n_rings(fixture), 1);
        tally_listen(fixture->tally);
        assert_false(tally_has_changed(fixture->tally));
        /* To look and find nothing is no change. */
        assert_true(tally_reach());
        tally_missed();
        assert_int_equal(n_rings(fixture), 0);
        tally_ended(200);
        assert_int_equal(n_rings(fixture), 1);
}

static void test_gate(void **state)
{
        const Fixture *fixture = *state;

        tally_join(fixture->tally, 100, 7);
        assert_true(tally_reach());
        tally_opened(1);
        tally_bar(fixture->tally, 7);
        (void)n_rings(fixture);
        assert_int_equal(tally_sum(fixture->tally).n_in_hand, 1);
        tally_taken();
        assert_int_equal(n_rings(fixture), 1);
        assert_false(tally_reach());
        assert_int_equal(tally_sum(fixture->tally).n_in_hand, 0);
        tally_unbar(fixture->tally);
        receive(2);
        assert_int_equal(tally_sum(fixture->tally).n_handoffs, 2);

        /* Children of the next configuration receive, and don't bother the parent. */
        tally_bar(fixture->tally, 7);
        tally_join(fixture->tally, 101, 8);
        (void)n_rings(fixture);
        receive(3);
        assert_int_equal(n_rings(fixture), 0);
        assert_int_equal(tally_sum(fixture->tally).n_handoffs, 3);
}

static void test_children_that_are_gone(void **state)
{
        const Fixture *fixture = *state;
        TallySum sum;

        tally_join(fixture->tally, 100, 1);
        receive(1000);
        assert_true(tally_reach());
        tally_join(fixture->tally, 101, 1);
        receive(500);
        tally_ended(600);
        tally_listen(fixture->tally);
        (void)n_rings(fixture);

        tally_leave(fixture->tally, 101, 5000);
        sum = tally_sum(fixture->tally);
        assert_int_equal(sum.n_open, 1);
        assert_int_equal(sum.ended_usec, 600);
        /* Its connection ended when it did, and nobody waits for what it had in hand. */
        tally_leave(fixture->tally, 100, 6000);
        sum = tally_sum(fixture->tally);
        assert_int_equal(sum.n_open + sum.n_in_hand, 0);
        assert_int_equal(sum.ended_usec, 6000);
        assert_int_equal(sum.last_usec, 1000);
        assert_int_equal(sum.n_handoffs, 2);
        assert_true(n_rings(fixture) >= 2);
        assert_true(tally_has_changed(fixture->tally));
}

static void test_more_children_than_slots(void **state)
{
        const Fixture *fixture = *state;

        for (pid_t pid = 100; pid < 110; pid++) {
                tally_join(fixture->tally, pid, 1);
                receive(1);
        }
        for (pid_t pid = 100; pid < 110; pid++)
                tally_leave(fixture->tally, pid, 2);
        assert_int_equal(tally_sum(fixture->tally).n_handoffs, 10);
        tally_join(fixture->tally, 111, 1);
        receive(1);
        tally_leave(fixture->tally, 111, 2);
        assert_int_equal(tally_sum(fixture->tally).n_handoffs, 11);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_way_of_a_connection, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_rings_for_the_first_change, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_gate, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_children_that_are_gone, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_more_children_than_slots, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
