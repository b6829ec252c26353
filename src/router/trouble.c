/* SPDX-License-Identifier: MIT */
/*
 * Owns how often trouble is told. What is told stands where it is noticed.
 */
#include "router/router.h"
#include "util/log-ids.h"

#define INTERVAL_USEC          (10 * UINT64_C(1000000))
#define INTERVAL_INSTANCE_USEC (60 * UINT64_C(1000000))
#define BURST                  5

static const char *const message_ids[TROUBLE_KINDS] = {
        [TROUBLE_ABSENT] = LOG_ID_ABSENT,
        [TROUBLE_QUEUE_FULL] = LOG_ID_QUEUE_FULL,
        [TROUBLE_INSTANCE_LIMIT] = LOG_ID_INSTANCE_LIMIT,
        [TROUBLE_START_WAIT] = LOG_ID_START_WAIT,
        [TROUBLE_LATE_START] = LOG_ID_LATE_START,
        [TROUBLE_PENDING_LIMIT] = LOG_ID_PENDING_LIMIT,
        [TROUBLE_SOURCE_LIMIT] = LOG_ID_SOURCE_LIMIT,
        [TROUBLE_EXHAUSTED] = LOG_ID_EXHAUSTED,
};

void trouble_init(LogLimit limits[static TROUBLE_KINDS])
{
        for (size_t i = 0; i < TROUBLE_KINDS; i++)
                limits[i] = (LogLimit){ .interval_usec = INTERVAL_USEC, .burst = BURST };
}

void trouble_init_outlet(LogLimit limits[static TROUBLE_OF_INSTANCE])
{
        for (size_t i = 0; i < TROUBLE_OF_INSTANCE; i++)
                limits[i] = (LogLimit){ .interval_usec = INTERVAL_INSTANCE_USEC, .burst = 1 };
}

bool trouble_pass(Router *router, TroubleKind kind, Outlet *outlet, LogFields *ret)
{
        unsigned left_out = 0, left_out_of_instance = 0;
        const uint64_t now = router_now(router);

        if (outlet && !log_limit_pass(&outlet->trouble_log[kind], now, &left_out_of_instance))
                return false;
        if (!log_limit_pass(&router->trouble_log[kind], now, &left_out))
                return false;
        *ret = (LogFields){ .message_id = message_ids[kind],
                            .instance = outlet ? outlet->name : NULL };
        left_out += left_out_of_instance;
        if (left_out > 0)
                log_full(LOG_INFO, ret, "%u more like the next line were not written to the log",
                         left_out);
        return true;
}
