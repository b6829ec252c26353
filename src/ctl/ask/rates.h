/* SPDX-License-Identifier: MIT */
/* Computes rates, such as hand-offs per second, from two states of the fleet (all instances). Pure,
 * but allocates memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: all instances together */
        FleetState state; /* from fleet_shown_state() */
        double accepted;  /* this and the next two: connections per second; NAN: unknown */
        double handoffs;
        double refused;
        double cpu;       /* 1: one whole processor */
        uint64_t pending; /* waiting connections */
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * Returns an array, to be freed; NULL: memory ran out. The first element is for all instances
 * together, and is the only one with a known value of 'accepted'. Each further element is for one
 * instance in now->entries; the instance with the most hand-offs comes first. seconds: the time
 * between the two states. The names belong to now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether the instance is at rest: its server is not running, and no connection was handed off or
 * refused. */
bool rates_are_quiet(const Rates *rates);
