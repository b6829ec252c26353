/* SPDX-License-Identifier: MIT */
/* What has changed between two looks at the fleet. Pure but for memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: of all */
        FleetState state; /* as shown */
        double accepted;  /* a second, of all only; NAN, as for the next ones: not known */
        double handoffs;
        double refused;
        double cpu; /* part of one processor */
        uint64_t pending;
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * One for all, and one for each of now->entries, those with the most hand-offs first. seconds:
 * between the two. NULL: no memory. To be freed; the names belong to now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether it does nothing. */
bool rates_are_quiet(const Rates *rates);
