/* SPDX-License-Identifier: MIT */
/*
 * Why a test of a configuration has failed, from all that Apache, nginx, PHP-FPM and
 * bellhop-instance have said. Each of them ends with its first error, so the error is what they say
 * last: what they say before only warns, whatever words it has. Pure.
 */
#pragma once

typedef struct Reason {
        char *file; /* NULL: it names none */
        unsigned line;
        char *what; /* one line */
} Reason;

/* Returns 0, or -ENOMEM. said is changed. */
int reason_find(char *said, Reason *ret);
void reason_done(Reason *reason);
