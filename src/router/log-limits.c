/* SPDX-License-Identifier: MIT */
/* Owns how often a line may be written. The text of a line is where its cause is noticed. */
#include <assert.h>
#include <stddef.h>

#include "router/log-limits.h"
#include "util/log-ids.h"

#define INTERVAL_USEC          (10 * UINT64_C(1000000))
#define INTERVAL_INSTANCE_USEC (60 * UINT64_C(1000000))
#define BURST                  5
#define BURST_REFUSALS         20

/* NULL: the line asks for nothing to be done. */
static const char *const message_ids[LOG_KINDS] = {
        [LOG_KIND_ABSENT] = LOG_ID_ABSENT,
        [LOG_KIND_QUEUE_FULL] = LOG_ID_QUEUE_FULL,
        [LOG_KIND_INSTANCE_LIMIT] = LOG_ID_INSTANCE_LIMIT,
        [LOG_KIND_START_WAIT] = LOG_ID_START_WAIT,
        [LOG_KIND_LATE_START] = LOG_ID_LATE_START,
        [LOG_KIND_PENDING_LIMIT] = LOG_ID_PENDING_LIMIT,
        [LOG_KIND_SOURCE_LIMIT] = LOG_ID_SOURCE_LIMIT,
        [LOG_KIND_EXHAUSTED] = LOG_ID_EXHAUSTED,
};

void log_limits_init(LogLimit limits[static LOG_KINDS])
{
        for (size_t i = 0; i < LOG_KINDS; i++)
                limits[i] = (LogLimit){ .interval_usec = INTERVAL_USEC, .burst = BURST };
        limits[LOG_KIND_REFUSAL].burst = BURST_REFUSALS;
}

void log_limits_init_instance(LogLimit limits[static LOG_KINDS_OF_INSTANCE])
{
        for (size_t i = 0; i < LOG_KINDS_OF_INSTANCE; i++)
                limits[i] = (LogLimit){ .interval_usec = INTERVAL_INSTANCE_USEC, .burst = 1 };
}

bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, const char *name,
                     LogKind kind, uint64_t now_usec, LogFields *ret)
{
        unsigned left_out = 0, left_out_of_instance = 0;

        assert(!of_instance || kind < LOG_KINDS_OF_INSTANCE);
        if ((of_instance && !log_limit_pass(&of_instance[kind], now_usec, &left_out_of_instance)) ||
            !log_limit_pass(&limits[kind], now_usec, &left_out))
                return false;
        *ret = (LogFields){ .message_id = message_ids[kind], .instance = name };
        left_out += left_out_of_instance;
        if (left_out > 0)
                log_full(LOG_INFO, ret, "%u more like the next line were not written to the log",
                         left_out);
        return true;
}
