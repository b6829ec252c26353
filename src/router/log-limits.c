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
        const char *message_id; /* NULL: the line asks for nothing to be done */
} log_kinds[LOG_KINDS] = {
        [LOG_KIND_ABSENT] = { LOG_WARNING, LOG_ID_ABSENT },
        [LOG_KIND_QUEUE_FULL] = { LOG_NOTICE, LOG_ID_QUEUE_FULL },
        [LOG_KIND_INSTANCE_LIMIT] = { LOG_WARNING, LOG_ID_INSTANCE_LIMIT },
        [LOG_KIND_START_WAIT] = { LOG_NOTICE, LOG_ID_START_WAIT },
        [LOG_KIND_LATE_START] = { LOG_WARNING, LOG_ID_LATE_START },
        [LOG_KIND_PENDING_LIMIT] = { LOG_WARNING, LOG_ID_PENDING_LIMIT },
        [LOG_KIND_SOURCE_LIMIT] = { LOG_NOTICE, LOG_ID_SOURCE_LIMIT },
        [LOG_KIND_EXHAUSTED] = { LOG_WARNING, LOG_ID_EXHAUSTED },
        [LOG_KIND_REFUSAL] = { LOG_INFO, NULL },
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

bool log_limits_pass(LogLimit limits[static LOG_KINDS], LogLimit *of_instance, LogKind kind,
                     const LogFields *fields)
{
        const uint64_t now = clock_monotonic_usec();
        unsigned left_out = 0, left_out_of_instance = 0;

        assert(!of_instance || kind < LOG_KINDS_OF_INSTANCE);
        if ((of_instance && !log_limit_pass(&of_instance[kind], now, &left_out_of_instance)) ||
            !log_limit_pass(&limits[kind], now, &left_out))
                return false;
        left_out += left_out_of_instance;
        if (left_out > 0)
                log_full(LOG_INFO, fields, "%u more like the next line were not written to the log",
                         left_out);
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
