/* SPDX-License-Identifier: MIT */
/* Tests of the page that a supervisor shares with its server: counters and gate. */
#include "unit.h"

#include <sys/eventfd.h>

#include "instance/page.h"

typedef struct Fixture {
        Page *page;
        int fd;
        int bell;
} Fixture;

static int set_up(void **state)
{
        Fixture *fixture = calloc(1, sizeof(*fixture));

        assert_non_null(fixture);
        fixture->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_true(fixture->bell >= 0);
        fixture->fd = page_new(&fixture->page);
        assert_true(fixture->fd >= 0);
        page_use(fixture->page, fixture->bell);
        *state = fixture;
        return 0;
}

static int tear_down(void **state)
{
        Fixture *fixture = *state;

        close_fd(fixture->bell);
        close_fd(fixture->fd);
        page_free(fixture->page);
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

static PageSum sum_of(const Page *page)
{
        PageSum sum = { 0 };

        page_add(page, &sum);
        return sum;
}

static void receive(uint64_t now_usec)
{
        assert_true(page_reach());
        page_opened(now_usec);
        page_let_go();
}

static void test_way_of_a_connection(void **state)
{
        const Fixture *fixture = *state;
        PageSum sum;

        page_join(100);
        assert_true(page_reach());
        assert_int_equal(sum_of(fixture->page).n_in_hand, 1);
        page_let_go();
        sum = sum_of(fixture->page);
        assert_int_equal(sum.n_in_hand + sum.n_handoffs + sum.n_open, 0);

        assert_true(page_reach());
        page_opened(1000);
        sum = sum_of(fixture->page);
        assert_int_equal(sum.n_in_hand, 1);
        assert_int_equal(sum.n_open, 1);
        assert_int_equal(sum.n_handoffs, 1);
        assert_int_equal(sum.last_usec, 1000);
        page_let_go();
        assert_int_equal(sum_of(fixture->page).n_in_hand, 0);
        page_requested();
        page_requested();
        page_ended(3000);
        sum = sum_of(fixture->page);
        assert_int_equal(sum.n_requests, 2);
        assert_int_equal(sum.n_open, 0);
        assert_int_equal(sum.n_handoffs, 1);
        assert_int_equal(sum.last_usec, 1000);
        assert_int_equal(sum.ended_usec, 3000);
}

static void test_rings_for_the_first_change(void **state)
{
        const Fixture *fixture = *state;

        page_join(100);
        assert_false(page_has_changed(fixture->page));
        assert_int_equal(n_rings(fixture), 1);
        for (uint64_t i = 0; i < 100; i++)
                receive(i);
        assert_true(page_has_changed(fixture->page));
        assert_int_equal(n_rings(fixture), 1);
        page_listen(fixture->page);
        assert_false(page_has_changed(fixture->page));
        /* A look without a result is not a change. */
        assert_true(page_reach());
        page_let_go();
        assert_int_equal(n_rings(fixture), 0);
        page_ended(200);
        assert_int_equal(n_rings(fixture), 1);
}

static void test_gate(void **state)
{
        const Fixture *fixture = *state;

        page_join(100);
        assert_true(page_reach());
        page_opened(1);
        page_bar(fixture->page, true);
        (void)n_rings(fixture);
        assert_int_equal(sum_of(fixture->page).n_in_hand, 1);
        page_let_go();
        assert_int_equal(n_rings(fixture), 1);
        assert_false(page_reach());
        assert_int_equal(sum_of(fixture->page).n_in_hand, 0);
        page_bar(fixture->page, false);
        (void)n_rings(fixture);
        receive(2);
        assert_int_equal(sum_of(fixture->page).n_handoffs, 2);
        /* The first change since page_listen() has rung already. */
        assert_int_equal(n_rings(fixture), 0);
}

static void test_children_that_are_gone(void **state)
{
        const Fixture *fixture = *state;
        pid_t joined[3];
        PageSum sum;

        page_join(100);
        receive(1000);
        assert_true(page_reach());
        page_join(101);
        assert_int_equal(page_find_joined(fixture->page, joined, ELEMENTSOF(joined)), 2);
        assert_true(joined[0] == 100 && joined[1] == 101);
        receive(500);
        page_ended(600);
        page_listen(fixture->page);
        (void)n_rings(fixture);

        page_leave(fixture->page, 101, 5000);
        assert_int_equal(page_find_joined(fixture->page, joined, ELEMENTSOF(joined)), 1);
        sum = sum_of(fixture->page);
        assert_int_equal(sum.n_open, 1);
        assert_int_equal(sum.ended_usec, 600);
        /* Its connection ended when it did, and nobody waits for what it had in hand. */
        page_leave(fixture->page, 100, 6000);
        sum = sum_of(fixture->page);
        assert_int_equal(sum.n_open + sum.n_in_hand, 0);
        assert_int_equal(sum.ended_usec, 6000);
        assert_int_equal(sum.last_usec, 1000);
        assert_int_equal(sum.n_handoffs, 2);
        assert_true(n_rings(fixture) >= 2);
        assert_true(page_has_changed(fixture->page));
}

static void test_more_processes_than_slots(void **state)
{
        const Fixture *fixture = *state;

        for (pid_t pid = 100; pid < 1200; pid++) {
                page_join(pid);
                receive(1);
        }
        for (pid_t pid = 100; pid < 1200; pid++)
                page_leave(fixture->page, pid, 2);
        assert_int_equal(sum_of(fixture->page).n_handoffs, 1100);
        page_join(1200);
        receive(1);
        page_leave(fixture->page, 1200, 2);
        assert_int_equal(sum_of(fixture->page).n_handoffs, 1101);
}

static void test_same_memory_for_the_server(void **state)
{
        const Fixture *fixture = *state;
        Page *other;

        assert_int_equal(page_open(fixture->fd, &other), 0);
        page_join(100);
        receive(1);
        assert_int_equal(sum_of(other).n_handoffs, 1);
        page_free(other);
        /* A process with the descriptor can neither shrink nor replace the page that the supervisor
         * reads. */
        assert_int_equal(ftruncate(fixture->fd, 0), -1);
        assert_int_equal(page_open(fixture->bell, &other), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_way_of_a_connection, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_rings_for_the_first_change, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_gate, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_children_that_are_gone, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_more_processes_than_slots, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_same_memory_for_the_server, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
