/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "ctl/ask/rates.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"

/* Returns NAN if the rate is unknown, for example because the router was restarted and counts from
 * 0 again. */
static double rates_per_second(uint64_t before, uint64_t now, double seconds)
{
        if (before == UNKNOWN || now == UNKNOWN || now < before || seconds <= 0)
                return NAN;
        return (double)(now - before) / seconds;
}

/* The sum of a metric over all its labels. */
static uint64_t rates_sum(const Samples *samples, const char *name)
{
        uint64_t sum = 0;
        bool found = false;

        for (size_t i = 0; i < samples->n; i++)
                if (strcmp(samples->samples[i].name, name) == 0) {
                        sum += (uint64_t)samples->samples[i].value;
                        found = true;
                }
        return found ? sum : UNKNOWN;
}

static double rates_between(const Fleet *before, const Fleet *now, const char *name, double seconds)
{
        return rates_per_second(rates_sum(&before->samples, name), rates_sum(&now->samples, name),
                                seconds);
}

static uint64_t rates_add(uint64_t sum, uint64_t n)
{
        return n == UNKNOWN ? sum : sum == UNKNOWN ? n : sum + n;
}

/* Uses the totals that the router counts. If the router does not count a value, adds up the known
 * values of the instances. */
static Rates rates_of_all(const Fleet *before, const Fleet *now, double seconds, const Rates each[])
{
        Rates all = {
                .accepted = rates_between(before, now, METRIC_ACCEPTED, seconds),
                .handoffs = rates_between(before, now, METRIC_HANDED_OFF, seconds),
                .refused = rates_between(before, now, METRIC_REFUSED, seconds),
                .cpu = NAN,
                .pending = rates_sum(&now->samples, METRIC_PENDING),
                .n_open = UNKNOWN,
                .memory = UNKNOWN,
        };

        for (size_t i = 0; i < now->n; i++) {
                all.n_open = rates_add(all.n_open, each[i].n_open);
                all.memory = rates_add(all.memory, each[i].memory);
                if (!isnan(each[i].cpu))
                        all.cpu = (isnan(all.cpu) ? 0 : all.cpu) + each[i].cpu;
        }
        return all;
}

static Rates rates_of(const FleetEntry *before, const FleetEntry *now, double seconds)
{
        static const FleetEntry unknown = { .n_handoffs = UNKNOWN,
                                            .n_refused = UNKNOWN,
                                            .cpu_nsec = UNKNOWN };
        const FleetEntry *then = before ? before : &unknown;

        return (Rates){
                .name = now->name,
                .state = fleet_shown_state(now),
                .accepted = NAN,
                .handoffs = rates_per_second(then->n_handoffs, now->n_handoffs, seconds),
                .refused = rates_per_second(then->n_refused, now->n_refused, seconds),
                .cpu = rates_per_second(then->cpu_nsec, now->cpu_nsec, seconds * 1e9),
                .pending = now->n_waiting,
                .n_open = now->n_open,
                .memory = now->memory,
        };
}

static int rates_compare_numbers(double a, double b)
{
        const double x = isnan(a) ? -1 : a, y = isnan(b) ? -1 : b;

        return (x < y) - (x > y);
}

static int rates_compare(const void *a, const void *b)
{
        const Rates *x = a, *y = b;
        int r = rates_compare_numbers(x->handoffs, y->handoffs);

        if (r == 0)
                r = rates_compare_numbers(x->cpu, y->cpu);
        if (r == 0)
                r = (y->state == FLEET_ACTIVE) - (x->state == FLEET_ACTIVE);
        return r != 0 ? r : strcmp(x->name, y->name);
}

Rates *rates_new(const Fleet *before, const Fleet *now, double seconds)
{
        Rates *rates = calloc(now->n + 1, sizeof(*rates));

        if (!rates)
                return NULL;
        for (size_t i = 0; i < now->n; i++)
                rates[i + 1] = rates_of(fleet_find(before, now->entries[i].name), &now->entries[i],
                                        seconds);
        rates[0] = rates_of_all(before, now, seconds, rates + 1);
        qsort(rates + 1, now->n, sizeof(*rates), rates_compare);
        return rates;
}

bool rates_are_quiet(const Rates *rates)
{
        return (rates->state == FLEET_IDLE || rates->state == FLEET_OFF ||
                rates->state == FLEET_UNKNOWN || rates->state == FLEET_SUSPENDED) &&
               !(rates->handoffs > 0) && !(rates->refused > 0);
}
