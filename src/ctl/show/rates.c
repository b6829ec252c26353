/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "ctl/show/rates.h"
#include "util/cleanup.h"

/* A router that was started anew counts from 0 again. */
static double rate(uint64_t before, uint64_t now, double seconds)
{
        if (before == UNKNOWN || now == UNKNOWN || now < before || seconds <= 0)
                return NAN;
        return (double)(now - before) / seconds;
}

/* Over all labels. */
static uint64_t sum_of(const Samples *samples, const char *name)
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

static double rate_of(const Fleet *before, const Fleet *now, const char *name, double seconds)
{
        return rate(sum_of(&before->samples, name), sum_of(&now->samples, name), seconds);
}

static uint64_t add(uint64_t sum, uint64_t n)
{
        return n == UNKNOWN ? sum : sum == UNKNOWN ? n : sum + n;
}

/* What the router does not count is the sum of those that are known. */
static Rates rates_of_all(const Fleet *before, const Fleet *now, double seconds, const Rates each[])
{
        Rates all = {
                .accepted = rate_of(before, now, "bellhop_accepted_total", seconds),
                .handoffs = rate_of(before, now, "bellhop_handed_off_total", seconds),
                .refused = rate_of(before, now, "bellhop_refused_total", seconds),
                .cpu = NAN,
                .pending = sum_of(&now->samples, "bellhop_pending_connections"),
                .n_open = UNKNOWN,
                .memory = UNKNOWN,
        };

        for (size_t i = 0; i < now->n; i++) {
                all.n_open = add(all.n_open, each[i].n_open);
                all.memory = add(all.memory, each[i].memory);
                if (!isnan(each[i].cpu))
                        all.cpu = (isnan(all.cpu) ? 0 : all.cpu) + each[i].cpu;
        }
        return all;
}

static Rates rates_of(const Member *before, const Member *now, double seconds)
{
        return (Rates){
                .name = now->name,
                .state = now->state,
                .accepted = NAN,
                .handoffs = before ? rate(before->n_handoffs, now->n_handoffs, seconds) : NAN,
                .refused = before ? rate(before->n_refused, now->n_refused, seconds) : NAN,
                .cpu = before ? rate(before->cpu_nsec, now->cpu_nsec, seconds * 1e9) : NAN,
                .pending = now->n_waiting,
                .n_open = now->n_open,
                .memory = now->memory,
        };
}

static int compare(double a, double b)
{
        const double x = isnan(a) ? -1 : a, y = isnan(b) ? -1 : b;

        return (x < y) - (x > y);
}

static int compare_rates(const void *a, const void *b)
{
        const Rates *x = a, *y = b;
        int r = compare(x->handoffs, y->handoffs);

        if (r == 0)
                r = compare(x->cpu, y->cpu);
        if (r == 0)
                r = (x->state == SITE_ACTIVE) == (y->state == SITE_ACTIVE) ? 0
                    : x->state == SITE_ACTIVE                              ? -1
                                                                           : 1;
        return r != 0 ? r : strcmp(x->name, y->name);
}

Rates *rates_new(const Fleet *before, const Fleet *now, double seconds)
{
        Rates *rates = calloc(now->n + 1, sizeof(*rates));

        if (!rates)
                return NULL;
        for (size_t i = 0; i < now->n; i++)
                rates[i + 1] =
                        rates_of(fleet_find(before, now->sites[i].name), &now->sites[i], seconds);
        rates[0] = rates_of_all(before, now, seconds, rates + 1);
        qsort(rates + 1, now->n, sizeof(*rates), compare_rates);
        return rates;
}

bool rates_are_quiet(const Rates *rates)
{
        return (rates->state == SITE_IDLE || rates->state == SITE_OFF ||
                rates->state == SITE_UNKNOWN) &&
               !(rates->handoffs > 0) && !(rates->refused > 0);
}
