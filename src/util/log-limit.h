/* SPDX-License-Identifier: MIT */
/* Limits how often a line may be written. Makes no system calls. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Allows at most `burst` lines in each interval. */
typedef struct LogLimit {
        uint64_t interval_usec;
        unsigned burst;
        uint64_t begin_usec;
        unsigned n;
        unsigned n_left_out;
} LogLimit;

/* Returns whether a line may be written now. *ret_left_out is the number of lines that were dropped
 * since the last written line. */
bool log_limit_pass(LogLimit *limit, uint64_t now_usec, unsigned *ret_left_out);
