/* SPDX-License-Identifier: MIT */
/* Writes log lines, one for each event. If stderr leads to the journal, a line goes there, with its
 * LogFields. Otherwise it goes to stderr, with its level in front. util/journal.h says what happens
 * to lines that can't be sent at once. Only code in folders with a main.c writes log lines. All
 * other code returns results to its caller, so no event is logged twice. mod_bellhop logs through
 * Apache.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

#include "util/journal.h"

/* Finds out whether stderr leads to the journal. Call it once, before all other functions of this
 * file. */
void log_open(void);

void log_full(int level, const LogFields *fields, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
void log_full_args(int level, const LogFields *fields, const char *format, va_list args)
        __attribute__((format(printf, 3, 0)));

/* Returns status. If it is not EXIT_SUCCESS, first waits until the journal knows to which unit the
 * last lines belong: see journal_finish(). Call it when the program ends. */
int log_end(int status);

#define log_info(...)    log_full(LOG_INFO, NULL, __VA_ARGS__)
#define log_warning(...) log_full(LOG_WARNING, NULL, __VA_ARGS__)
#define log_error(...)   log_full(LOG_ERR, NULL, __VA_ARGS__)

/* error is a negative errno. %m in the format stands for the text of this errno. */
#define log_warning_errno(error, ...) (errno = -(error), log_warning(__VA_ARGS__))
#define log_error_errno(error, ...)   (errno = -(error), log_error(__VA_ARGS__))
