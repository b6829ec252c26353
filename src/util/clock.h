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
