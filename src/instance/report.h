/* SPDX-License-Identifier: MIT */
/* Tells bellhop-usage how many requests the instance has had: nobody else knows, as TLS ends here.
 * Waits for nobody; a report has all that came before, so the next one makes up for one that is
 * lost. */
#pragma once

#include <stdint.h>

#define REPORT_SOCKET "reports"

typedef struct Report {
        int fd;               /* negative: nobody listens */
        const char *instance; /* not owned */
        uint64_t n_told;      /* UINT64_MAX: nothing yet */
        uint64_t next_usec;   /* when the next one may be made; 0: at once */
} Report;

/* sockets_fd: the folder; the caller keeps it. */
void report_open(Report *report, const char *instance, int sockets_fd);

/* n: requests since the start of the instance. now_usec: UINT64_MAX for the last time. Returns when
 * to look again, UINT64_MAX: never. */
uint64_t report_tell(Report *report, uint64_t n, uint64_t now_usec);
