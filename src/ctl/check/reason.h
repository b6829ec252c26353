/* SPDX-License-Identifier: MIT */
/*
 * Finds the reason why a test of a configuration failed, in the output of Apache, nginx, PHP-FPM
 * and bellhop-instance. Usually each of these programs ends at its first error, so the last message
 * is the error. Earlier messages are only warnings, even if they look like errors. Pure.
 */
#pragma once

typedef struct Reason {
        char *file; /* NULL: the output names no file */
        unsigned line;
        char *what; /* one line */
} Reason;

/* said: the output of the test; the function changes this text. Returns 0 or -ENOMEM. */
int reason_find(char *said, Reason *ret);
void reason_done(Reason *reason);
