/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <stddef.h>

#include "router/log-limits.h"
#include "util/clock.h"
#include "util/log-ids.h"

#define INTERVAL_USEC          (10 * UINT64_C(1000000))
#define INTERVAL_INSTANCE_USEC (60 * UINT64_C(1000000))
#define BURST                  5
#define BURST_REFUSALS         20

static const struct {
        int level;
        const char *message_id; /* NULL: the line requires no action */
} log_kinds[LOG_KINDS] = {
        [LOG_KIND_ABSENT] = { LOG_WARNING, LOG_ID_ABSENT },
        [LOG_KIND_QUEUE_FULL] = { LOG_NOTICE, LOG_ID_QUEUE_FULL },
        [LOG_KIND_INSTANCE_LIMIT] = { LOG_WARNING, LOG_ID_INSTANCE_LIMIT },
        [LOG_KIND_START_WAIT] = { LOG_NOTICE, LOG_ID_START_WAIT },
        [LOG_KIND_LATE_START] = { LOG_WARNING, LOG_ID_LATE_START },
        [LOG_KIND_PENDING_LIMIT] = { LOG_WARNING, LOG_ID_PENDING_LIMIT },
        [LOG_KIND_SOURCE_LIMIT] = { LOG_NOTICE, LOG_ID_SOURCE_LIMIT },
        [LOG_KIND_EXHAUSTED] = { LOG_WARNING, LOG_ID_EXHAUSTED },
        [LOG_KIND_RESPONDER] = { LOG_WARNING, LOG_ID_RESPONDER },
        [LOG_KIND_REFUSAL] = { LOG_INFO, NULL },
};

static bool log_limits_pass_one(LogLimit *limit, uint64_t interval_usec, unsigned burst,
                                unsigned *n_left_out)
{
        limit->interval_usec = interval_usec;
        limit->burst = burst;
        return log_limit_pass(limit, clock_monotonic_usec(), n_left_out);
}

bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                     const LogFields *fields)
{
        unsigned left_out = 0, left_out_of_instance = 0;

        assert(!of_instance || kind < LOG_KINDS_OF_INSTANCE);
        if (of_instance && !log_limits_pass_one(&of_instance[kind], INTERVAL_INSTANCE_USEC, 1,
                                                &left_out_of_instance))
                return false;
        if (!log_limits_pass_one(&limits[kind], INTERVAL_USEC,
                                 kind == LOG_KIND_REFUSAL ? BURST_REFUSALS : BURST, &left_out))
                return false;
        left_out += left_out_of_instance;
        if (left_out > 0)
                log_full(LOG_INFO, fields,
                         "%u more lines like the next one were not written to the log", left_out);
        return true;
}

void log_limits_write(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                      LogFields fields, const char *format, ...)
{
        const int saved = errno;
        va_list args;

        fields.message_id = log_kinds[kind].message_id;
        if (!log_limits_pass(limits, of_instance, kind, &fields))
                return;
        errno = saved;
        va_start(args, format);
        log_full_args(log_kinds[kind].level, &fields, format, args);
        va_end(args);
}
