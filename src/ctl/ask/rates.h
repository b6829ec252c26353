/* SPDX-License-Identifier: MIT */
/* Changes between two states of the fleet. Pure except for memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: all instances together */
        FleetState state; /* as shown */
        double accepted;  /* per second, only for all; NAN: unknown, as in the next fields */
        double handoffs;
        double refused;
        double cpu; /* part of one processor */
        uint64_t pending;
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * An element for all instances together, then one for each of now->entries, with the most hand-offs
 * first. seconds: the time between the two states. To be freed; NULL: no memory. The names belong
 * to now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether the instance does nothing. */
bool rates_are_quiet(const Rates *rates);
