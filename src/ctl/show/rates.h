/* SPDX-License-Identifier: MIT */
/* What has moved between two looks at the fleet. Pure but for memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: of all */
        SiteState state;
        double accepted; /* a second, of all only; NAN where it is not known, as for all of these */
        double handoffs;
        double refused;
        double cpu; /* part of one processor */
        uint64_t pending;
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * One for all, and one for each of now->sites, those with the most hand-offs first. seconds:
 * between the two. NULL: no memory. To be freed; the names are of now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether it does anything. */
bool rates_are_quiet(const Rates *rates);
