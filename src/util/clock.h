/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC UINT64_C(1000000000)

static inline uint64_t clock_nsec(clockid_t clock)
{
        struct timespec now = { 0 };

        (void)clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static inline uint64_t clock_monotonic_usec(void)
{
        return clock_nsec(CLOCK_MONOTONIC) / 1000;
}

#define CLOCK_DATE_SIZE 64 /* also for years of ten digits */

/*
 * Seconds since 1970 as RFC 9110 writes a date. Takes no lock, as the C library does for time
 * zones, so a thread may call it while another one forks.
 */
void clock_date(uint64_t sec, char ret[static CLOCK_DATE_SIZE]);
