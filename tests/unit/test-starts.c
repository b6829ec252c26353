/* SPDX-License-Identifier: MIT */
/* Tests of the slots in which instances start, with a clock of our own. */
#include "unit.h"

#include <time.h>

#include "router/starts.h"

#define SEC UINT64_C(1000000)

typedef struct Fake {
        Start start; /* first, so that one is the other */
        bool runs;
        int unread;
        bool waits; /* it has something to send */
        uint64_t waited_usec;
        unsigned n_turns, n_left, n_late;
} Fake;

static uint64_t fake_now;
static Starts starts;
static sd_event *event;

/* Instead of libsystemd's. */
int sd_event_now(sd_event *e, clockid_t clock, uint64_t *ret)
{
        *ret = fake_now;
        return 0;
}

static bool fake_runs(const Start *start)
{
        return ((const Fake *)start)->runs;
}

static int fake_unread(const Start *start)
{
        return ((const Fake *)start)->unread;
}

/* As an outlet: sends one hand-off, which stays unread. */
static bool send_to(Fake *fake)
{
        if (!starts_may_send(&starts, &fake->start))
                return false;
        fake->unread += 512;
        return starts_sent(&starts, &fake->start);
}

static void fake_on_turn(Start *start)
{
        Fake *fake = (Fake *)start;

        fake->n_turns++;
        if (fake->waits)
                (void)send_to(fake);
        else
                starts_forget(&starts, start);
}

static void fake_on_waited(const Start *start, uint64_t usec)
{
        ((Fake *)start)->waited_usec = usec;
}

static void fake_on_left(Start *start, bool is_late)
{
        ((Fake *)start)->n_left++;
        ((Fake *)start)->n_late += is_late;
}

static const StartHooks hooks = { fake_runs, fake_unread, fake_on_turn, fake_on_waited,
                                  fake_on_left };

static int set_up(void **state)
{
        assert_true(sd_event_new(&event) >= 0);
        /* Just after boot, so that the timer of a slot is due at once and asks our clock. */
        fake_now = SEC;
        assert_true(starts_init(&starts, event, &hooks) >= 0);
        starts_set_max(&starts, 2);
        return 0;
}

static int tear_down(void **state)
{
        starts_done(&starts);
        event = sd_event_unref(event);
        return 0;
}

/* Runs what is due. */
static void turn(void)
{
        for (int i = 0; i < 10; i++)
                assert_true(sd_event_run(event, 0) >= 0);
}

static void receive(Fake *fake)
{
        fake->unread = 0;
        starts_look(&starts, &fake->start);
}

static void test_running_needs_no_slot(void **state)
{
        Fake a = { .runs = true };

        for (int i = 0; i < 5; i++)
                assert_false(send_to(&a));
        assert_int_equal(starts.starting.n, 0);
        assert_int_equal(a.start.state, START_NONE);
        /* It was sent something a moment ago, so it is not even looked at. */
        a.runs = false;
        assert_true(starts_may_send(&starts, &a.start));
        assert_int_equal(a.start.state, START_NONE);
        fake_now += SEC + 1;
        assert_true(starts_may_send(&starts, &a.start));
        assert_int_equal(a.start.state, START_HAS_SLOT);
        starts_forget(&starts, &a.start);
        assert_int_equal(starts.starting.n, 0);
}

static void test_bound_and_order(void **state)
{
        Fake f[5] = { { .waits = false } };

        for (size_t i = 0; i < 5; i++) {
                f[i].waits = true;
                /* Those with a slot: their first hand-off starts them. */
                assert_int_equal(send_to(&f[i]), i < 2);
                assert_int_equal(f[i].start.state, i < 2 ? START_HAS_SLOT : START_WAITING);
        }
        assert_int_equal(starts.starting.n, 2);
        /* A second one to the same does not start it again. */
        assert_false(send_to(&f[0]));
        turn();
        assert_int_equal(f[2].n_turns, 0);

        receive(&f[1]);
        assert_int_equal(f[1].n_left, 1);
        turn();
        assert_int_equal(f[2].n_turns, 1);
        assert_int_equal(f[2].start.state, START_HAS_SLOT);
        assert_int_equal(f[3].start.state, START_WAITING);

        /* One that has nothing to send any more gives its turn to the next. */
        f[3].waits = false;
        receive(&f[0]);
        turn();
        assert_int_equal(f[3].n_turns, 1);
        assert_int_equal(f[3].start.state, START_NONE);
        assert_int_equal(f[4].start.state, START_HAS_SLOT);
        assert_int_equal(starts.starting.n, 2);
        for (size_t i = 0; i < 5; i++) {
                assert_int_equal(f[i].waited_usec, 0);
                starts_forget(&starts, &f[i].start);
        }
        assert_int_equal(starts.starting.n, 0);
}

static void test_one_that_receives_at_once_is_not_starting(void **state)
{
        Fake a = { .unread = 0 };

        assert_true(starts_may_send(&starts, &a.start));
        /* Nothing is unread after the hand-off. */
        assert_true(starts_sent(&starts, &a.start));
        assert_int_equal(a.start.state, START_NONE);
        assert_int_equal(a.n_left, 1);
        assert_int_equal(a.n_late, 0);
}

static void test_late_ones_leave_half(void **state)
{
        Fake late[3] = { { .waits = true }, { .waits = true }, { .waits = true } };
        Fake good = { .waits = true };

        starts_set_max(&starts, 2);
        assert_true(send_to(&late[0]));
        assert_true(send_to(&late[1]));
        assert_false(send_to(&late[2]));
        turn();
        assert_int_equal(late[0].n_late, 0);
        fake_now += START_SLOT_USEC;
        turn();
        assert_int_equal(late[0].n_late, 1);
        assert_int_equal(late[1].n_late, 1);
        /* The third has had its turn after the long wait. */
        assert_int_equal(late[2].n_turns, 1);
        assert_int_equal(late[2].waited_usec, START_SLOT_USEC);
        fake_now += START_SLOT_USEC;
        turn();
        assert_int_equal(late[2].n_late, 1);

        /* All three did not come up. Together they get one slot of the two. */
        assert_true(send_to(&late[0]));
        assert_false(send_to(&late[1]));
        assert_int_equal(late[1].start.state, START_WAITING);
        assert_true(send_to(&good));
        assert_int_equal(good.start.state, START_HAS_SLOT);
        receive(&good);
        turn();
        assert_int_equal(late[1].start.state, START_WAITING);
        /* One that receives is late no more. */
        receive(&late[0]);
        assert_false(late[0].start.is_late);
        turn();
        assert_int_equal(late[1].start.state, START_HAS_SLOT);
        for (size_t i = 0; i < 3; i++)
                starts_forget(&starts, &late[i].start);
        assert_int_equal(starts.starting.n + starts.n_late, 0);
}

static void test_settings(void **state)
{
        Fake a = { .waits = true }, b = { .waits = true };

        starts_set_max(&starts, 1);
        assert_true(send_to(&a));
        assert_false(send_to(&b));
        starts_set_max(&starts, 2);
        turn();
        assert_int_equal(b.start.state, START_HAS_SLOT);
        starts_set_max(&starts, 0);
        assert_true(starts.max >= 4);
        starts_forget(&starts, &a.start);
        starts_forget(&starts, &b.start);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_running_needs_no_slot, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_bound_and_order, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_one_that_receives_at_once_is_not_starting,
                                                set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_late_ones_leave_half, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_settings, set_up, tear_down),
        };

        return cmocka_run_group_tests_name("starts", tests, NULL, NULL);
}
