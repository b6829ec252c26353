/* SPDX-License-Identifier: MIT */
/* Strings made by a format, and numbers read from text. */
#pragma once

#include <stdarg.h>

#include "util/span.h"

/* A string to be freed, or NULL without memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_format_args(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Appends a copy to an array of strings, and counts it. 0 or -ENOMEM. */
int texts_append(char ***texts, size_t *n, const char *text);
void texts_free(char **texts, size_t n);

/*
 * A decimal number of digits alone, at most max. Zeros in front are allowed; a caller that wants
 * one form for each number refuses them. False, with *ret as it was: it is nothing of that form, or
 * too large. Pure.
 */
bool text_number(Span text, uint64_t max, uint64_t *ret);
