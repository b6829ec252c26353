/* SPDX-License-Identifier: MIT */
/* Reports the number of requests of the instance to bellhop-usage. Only the instance knows this
 * number, because TLS ends in it. Never waits. Each report has the total so far, so the next report
 * replaces a lost one. */
#pragma once

#include <stdint.h>

#define REPORT_SOCKET "reports"

typedef struct Report {
        int fd;               /* negative: nothing listens */
        const char *instance; /* not owned */
        uint64_t n_told;      /* UINT64_MAX: nothing yet */
        uint64_t next_usec;   /* when the next report may be sent; 0: at once */
} Report;

/* sockets_fd: the folder; the caller keeps it. */
void report_open(Report *report, const char *instance, int sockets_fd);

/* n: requests since the start of the instance. now_usec: UINT64_MAX for the last report. Returns
 * when to call it again, UINT64_MAX: never. */
uint64_t report_tell(Report *report, uint64_t n, uint64_t now_usec);
