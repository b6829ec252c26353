/* SPDX-License-Identifier: MIT */
/* Tests of queues of deadlines. */
#include "unit.h"

#include <time.h>

#include "util/clock.h"
#include "util/deadline.h"

typedef struct Item {
        char name;
        Deadline deadline;
} Item;

static DeadlineQueue queue;
static char passed[16];

static void take_out(Deadline *deadline)
{
        const size_t n = strlen(passed);

        deadline_queue_remove(&queue, deadline);
        passed[n] = container_of(deadline, Item, deadline)->name;
        passed[n + 1] = 0;
}

static sd_event *start(void)
{
        sd_event *event = NULL;

        passed[0] = 0;
        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(deadline_queue_init(&queue, event, take_out), 0);
        assert_null(deadline_queue_first(&queue));
        return event;
}

static void stop(sd_event *event)
{
        deadline_queue_done(&queue);
        assert_null(sd_event_unref(event));
}

static void add(Item *item, uint64_t usec)
{
        assert_int_equal(deadline_queue_add(&queue, &item->deadline, usec), 0);
}

static void assert_order(const char *expected)
{
        char found[16] = "";
        Deadline *deadline;

        TAILQ_FOREACH (deadline, &queue.list, link)
                found[strlen(found)] = container_of(deadline, Item, deadline)->name;
        assert_string_equal(found, expected);
        assert_int_equal(queue.n, strlen(expected));
}

static void test_order(void **state)
{
        Item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' }, d = { .name = 'd' };
        const uint64_t far = clock_monotonic_usec() + UINT64_C(3600000000);
        sd_event *event = start();

        add(&a, far + 1);
        add(&b, far + 3);
        add(&c, far + 3); /* after its equal */
        add(&d, far + 2); /* a setting has changed */
        assert_order("adbc");
        deadline_queue_remove(&queue, &d.deadline);
        assert_order("abc");
        add(&d, far);
        assert_order("dabc");
        assert_ptr_equal(deadline_queue_first(&queue), &d.deadline);
        while (deadline_queue_first(&queue))
                take_out(deadline_queue_first(&queue));
        stop(event);
}

static void test_passing(void **state)
{
        Item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' };
        const uint64_t now = clock_monotonic_usec();
        sd_event *event = start();

        add(&b, now - 1);
        add(&a, now - 2); /* becomes the first, so the timer is set again */
        add(&c, now + UINT64_C(3600000000));
        assert_true(sd_event_run(event, UINT64_MAX) > 0);
        assert_string_equal(passed, "ab");
        assert_order("c");
        /* The timer is for the one that is left, which is far away. */
        assert_int_equal(sd_event_run(event, 0), 0);
        deadline_queue_remove(&queue, &c.deadline);
        /* And one that passes later ends a wait. */
        add(&a, clock_monotonic_usec() + 1000);
        while (queue.n > 0)
                assert_true(sd_event_run(event, UINT64_MAX) >= 0);
        assert_string_equal(passed, "aba");
        stop(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_passing),
        };

        return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
