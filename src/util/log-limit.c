/* SPDX-License-Identifier: MIT */
#include "util/log-limit.h"

bool log_limit_pass(LogLimit *limit, uint64_t now_usec, unsigned *ret_left_out)
{
        if (now_usec - limit->begin_usec >= limit->interval_usec) {
                limit->begin_usec = now_usec;
                limit->n = 0;
        }
        if (limit->n >= limit->burst) {
                limit->n_left_out++;
                return false;
        }
        limit->n++;
        *ret_left_out = limit->n_left_out;
        limit->n_left_out = 0;
        return true;
}
