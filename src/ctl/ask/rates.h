/* SPDX-License-Identifier: MIT */
/* Computes the changes between two states of the fleet. Pure, but allocates memory. */
#pragma once

#include "ctl/ask/fleet.h"

typedef struct Rates {
        const char *name; /* NULL: all instances together */
        FleetState state; /* as shown */
        double accepted;  /* per second, only in the first element; NAN: unknown */
        double handoffs;
        double refused;
        double cpu; /* 1: one whole processor */
        uint64_t pending;
        uint64_t n_open;
        uint64_t memory;
} Rates;

/*
 * Returns an array, to be freed. The first element is for all instances together. After it, each
 * element is for one of now->entries; the entry with the most hand-offs comes first. seconds: the
 * time between the two states. NULL: no memory. The names belong to now.
 */
Rates *rates_new(const Fleet *before, const Fleet *now, double seconds);

/* Whether the instance does nothing. */
bool rates_are_quiet(const Rates *rates);
