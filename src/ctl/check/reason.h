/* SPDX-License-Identifier: MIT */
/*
 * Why a test of a configuration failed, from the output of Apache, nginx, PHP-FPM and
 * bellhop-instance. Each of them ends with its first error, so the last message is the error.
 * Earlier messages are only warnings, whatever their words. Pure.
 */
#pragma once

typedef struct Reason {
        char *file; /* NULL: the output names none */
        unsigned line;
        char *what; /* one line */
} Reason;

/* Returns 0, or -ENOMEM. Changes said. */
int reason_find(char *said, Reason *ret);
void reason_done(Reason *reason);
