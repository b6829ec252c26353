/* SPDX-License-Identifier: MIT */
/* Makes strings with a format, reads numbers, compares words, and makes text safe to display. */
#pragma once

#include <stdarg.h>

#include "util/span.h"

/* Make a string as printf(3) does. Return the string, which the caller frees, or NULL if there is
 * not enough memory. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *text_format_args(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* Appends a copy of text to an array of strings, and adds 1 to *n. Returns 0 or -ENOMEM. */
int texts_append(char ***texts, size_t *n, const char *text);
void texts_free(char **texts, size_t n);

/* Returns all strings with the separator between them; the caller frees the result. Returns NULL if
 * there are no strings, or if there is not enough memory. */
char *texts_join(char *const texts[], size_t n, const char *separator);

static inline bool text_is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

/* Whether text ends with end, and is longer than end. */
static inline bool text_ends_with(const char *text, const char *end)
{
        const size_t length = strlen(text), of_end = strlen(end);

        return length > of_end && strcmp(text + length - of_end, end) == 0;
}

/* Reads a decimal number. Leading zeros are allowed; callers may refuse them. Returns false, and
 * leaves *ret unchanged, if text is empty, has anything but digits, or is a number larger than max.
 */
bool text_number(Span text, uint64_t max, uint64_t *ret);

/* Returns the number of steps that turn a into b, ignoring case. A step changes, adds or removes a
 * letter, or swaps it with the next letter. Returns SIZE_MAX if a or b has more than
 * TEXT_DISTANCE_MAX bytes. */
#define TEXT_DISTANCE_MAX 32
size_t text_distance(Span a, Span b);

/* Makes text safe for a terminal. A question mark replaces each byte that is not UTF-8, and each
 * byte of these characters: control characters, line separators, characters that have no width or
 * change the direction of the text, and unassigned or private code points. The length is unchanged.
 * kept is a control character that is not replaced, or 0. text may be NULL. */
void text_make_harmless(char *text, char kept);
