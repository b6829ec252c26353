/* SPDX-License-Identifier: MIT */
/* Reports the number of requests of the instance to bellhop-usage. Only the instance knows this
 * number, because it decrypts TLS. Never waits. Each report has the total so far, so the next
 * report makes up for a lost one. */
#pragma once

#include <stdint.h>

#define REPORT_SOCKET "reports"

typedef struct Report {
        int fd;               /* negative: nothing listens */
        const char *instance; /* not owned */
        uint64_t n_told;      /* number in the last report; UINT64_MAX: no report yet */
        uint64_t next_usec;   /* when the next report may be sent; 0: at once */
} Report;

/* Connects to bellhop-usage. sockets_fd: a descriptor of the folder with the socket of
 * bellhop-usage; the caller keeps it. */
void report_open(Report *report, const char *instance, int sockets_fd);

/* Sends a report if n has changed and enough time has passed. n: the number of requests since the
 * start of the instance. now_usec: the present time, or UINT64_MAX to send the last report at once.
 * Returns when to call this again; UINT64_MAX: when n has changed. */
uint64_t report_tell(Report *report, uint64_t n, uint64_t now_usec);
