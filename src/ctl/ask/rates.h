/* SPDX-License-Identifier: MIT */
/* Changes between two states of the fleet. Pure except for memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: of all */
        FleetState state; /* as shown */
        double accepted;  /* a second, only of all; NAN: unknown, as for the next ones */
        double handoffs;
        double refused;
        double cpu; /* part of one processor */
        uint64_t pending;
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * One for all, and one for each of now->entries, with the most hand-offs first. seconds: between
 * the two. NULL: no memory. To be freed; the names belong to now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether the instance does nothing. */
bool rates_are_quiet(const Rates *rates);
