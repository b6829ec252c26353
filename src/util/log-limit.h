/* SPDX-License-Identifier: MIT */
/* Limits how often a line may be written. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* At most burst lines in each interval; the next allowed line gets the number of dropped lines. */
typedef struct LogLimit {
        uint64_t interval_usec;
        unsigned burst;
        uint64_t begin_usec;
        unsigned n;
        unsigned n_left_out;
} LogLimit;

/* Whether a line may be written now; *ret_left_out: the number of dropped lines since the last one.
 */
bool log_limit_pass(LogLimit *limit, uint64_t now_usec, unsigned *ret_left_out);
