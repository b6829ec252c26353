/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/socket.h>

#include "handoff/bellhop.h"
#include "instance/report.h"
#include "usage/message.h"

/* The shortest time between two reports. */
#define REPORT_USEC UINT64_C(10000000)

void report_open(Report *report, const char *instance, int sockets_fd)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" REPORT_SOCKET, sockets_fd);
        *report = (Report){ .fd = sockets_fd < 0 ? sockets_fd : bellhop_connect(path),
                            .instance = instance,
                            /* No count of requests equals this number, so the first report is sent
                             * even if there were no requests. This report registers the process
                             * with bellhop-usage. */
                            .n_told = UINT64_MAX };
}

uint64_t report_tell(Report *report, uint64_t n, uint64_t now_usec)
{
        UsageMessage message;

        if (report->fd < 0 || n == report->n_told)
                return UINT64_MAX;
        if (now_usec < report->next_usec)
                return report->next_usec;
        usage_message_init(&message, USAGE_REQUESTS);
        message.n = 1;
        message.records[0].number = n;
        (void)snprintf(message.records[0].instance, USAGE_NAME_MAX, "%s", report->instance);
        report->next_usec = now_usec + REPORT_USEC;
        if (send(report->fd, &message, usage_message_size(&message), MSG_DONTWAIT | MSG_NOSIGNAL) <
            0)
                return report->next_usec;
        report->n_told = n;
        return UINT64_MAX;
}
