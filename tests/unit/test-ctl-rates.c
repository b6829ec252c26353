/* SPDX-License-Identifier: MIT */
/* Tests of what bellhopctl top makes of two looks. */
#include "unit.h"

#include <math.h>

#include "ctl/ask/rates.h"

static FleetEntry entry(char *name, FleetState state, uint64_t n_handoffs, uint64_t cpu_nsec)
{
        return (FleetEntry){
                .name = name,
                .state = state,
                .n_handoffs = n_handoffs,
                .n_refused = 0,
                .n_waiting = 0,
                .n_open = state == FLEET_ACTIVE ? 2 : 0,
                .memory = state == FLEET_ACTIVE ? 1000 : UNKNOWN,
                .cpu_nsec = cpu_nsec,
        };
}

static char alice[] = "alice", bob[] = "bob", carol[] = "carol", dave[] = "dave";

static void test_rates(void **state)
{
        Sample old[] = { { "bellhop_accepted_total", "", 100 },
                         { "bellhop_refused_total", "reason=\"no-host\"", 1 },
                         { "bellhop_refused_total", "reason=\"malformed\"", 2 } };
        Sample new[] = { { "bellhop_accepted_total", "", 150 },
                         { "bellhop_refused_total", "reason=\"no-host\"", 3 },
                         { "bellhop_refused_total", "reason=\"malformed\"", 4 } };
        FleetEntry then[] = { entry(alice, FLEET_ACTIVE, 10, 0), entry(bob, FLEET_ACTIVE, 5, 0),
                              entry(carol, FLEET_IDLE, UNKNOWN, UNKNOWN) };
        FleetEntry now[] = { entry(alice, FLEET_ACTIVE, 20, 1000000000),
                             entry(bob, FLEET_ACTIVE, 45, 0), entry(carol, FLEET_IDLE, 3, UNKNOWN),
                             entry(dave, FLEET_IDLE, 1, UNKNOWN) };
        const Fleet before = { .entries = then, .n = 3, .samples = { .samples = old, .n = 3 } };
        const Fleet after = { .entries = now, .n = 4, .samples = { .samples = new, .n = 3 } };
        _cleanup_free_ Rates *rates = rates_new(&before, &after, 2.0);

        (void)state;
        assert_non_null(rates);
        assert_null(rates[0].name);
        assert_true(rates[0].accepted == 25.0 && rates[0].refused == 2.0 && rates[0].cpu == 0.5);
        assert_true(isnan(rates[0].handoffs) && rates[0].pending == UNKNOWN);
        assert_int_equal(rates[0].n_open, 4);
        assert_int_equal(rates[0].memory, 2000);
        /* The busiest first. */
        assert_string_equal(rates[1].name, "bob");
        assert_true(rates[1].handoffs == 20.0 && rates[1].cpu == 0.0);
        assert_string_equal(rates[2].name, "alice");
        assert_true(rates[2].handoffs == 5.0 && rates[2].cpu == 0.5);
        /* Of whom nothing is known from before. */
        assert_string_equal(rates[3].name, "carol");
        assert_string_equal(rates[4].name, "dave");
        assert_true(isnan(rates[3].handoffs) && isnan(rates[4].handoffs));
        assert_false(rates_are_quiet(&rates[1]));
        assert_false(rates_are_quiet(&rates[2]));
        assert_true(rates_are_quiet(&rates[3]));
}

/* Counters of a router that was started anew. */
static void test_counters_begin_anew(void **state)
{
        FleetEntry then[] = { entry(alice, FLEET_IDLE, 10, UNKNOWN) };
        FleetEntry now[] = { entry(alice, FLEET_IDLE, 2, UNKNOWN) };
        const Fleet before = { .entries = then, .n = 1 }, after = { .entries = now, .n = 1 };
        _cleanup_free_ Rates *rates = rates_new(&before, &after, 1.0);

        (void)state;
        assert_non_null(rates);
        assert_true(isnan(rates[1].handoffs));
}

static void test_nobody(void **state)
{
        const Fleet nobody = { .n = 0 };
        _cleanup_free_ Rates *rates = rates_new(&nobody, &nobody, 1.0);

        (void)state;
        assert_non_null(rates);
        assert_true(isnan(rates[0].accepted) && isnan(rates[0].cpu));
        assert_true(rates[0].n_open == UNKNOWN && rates[0].memory == UNKNOWN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rates),
                cmocka_unit_test(test_counters_begin_anew),
                cmocka_unit_test(test_nobody),
        };

        return cmocka_run_group_tests_name("ctl-rates", tests, NULL, NULL);
}
