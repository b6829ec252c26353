/* SPDX-License-Identifier: MIT */
/* A span refers to bytes that it does not own. The functions here never read beyond the end of a
 * span, whatever the bytes are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Span {
        const uint8_t *data;
        size_t size;
} Span;

static inline Span span_from_string(const char *s)
{
        return (Span){ .data = (const uint8_t *)s, .size = strlen(s) };
}

/* Removes n bytes from the front. Returns false, and removes nothing, if there are fewer bytes. */
static inline bool span_take(Span *s, size_t n, Span *ret_taken)
{
        if (s->size < n)
                return false;
        *ret_taken = (Span){ .data = s->data, .size = n };
        s->data += n;
        s->size -= n;
        return true;
}

/* Removes all bytes up to the first byte `end`, including that byte. *ret gets the bytes before it.
 * Returns false, and removes nothing, if there is no byte `end`. */
static inline bool span_take_until(Span *s, uint8_t end, Span *ret)
{
        const uint8_t *at = s->size > 0 ? memchr(s->data, end, s->size) : NULL;
        Span separator;

        return at && span_take(s, (size_t)(at - s->data), ret) && span_take(s, 1, &separator);
}

/* Removes an unsigned integer of n <= 4 bytes in network byte order from the front. */
static inline bool span_take_uint(Span *s, size_t n, uint32_t *ret)
{
        Span bytes;
        uint32_t v = 0;

        if (!span_take(s, n, &bytes))
                return false;
        for (size_t i = 0; i < n; i++)
                v = v << 8 | bytes.data[i];
        *ret = v;
        return true;
}

static inline bool span_is_blank(uint8_t c)
{
        return c == ' ' || c == '\t';
}

/* Returns the span without the blanks at its ends. */
static inline Span span_trim(Span s)
{
        while (s.size > 0 && span_is_blank(s.data[0])) {
                s.data++;
                s.size--;
        }
        while (s.size > 0 && span_is_blank(s.data[s.size - 1]))
                s.size--;
        return s;
}

static inline bool span_equals(Span s, const char *string)
{
        return s.size == strlen(string) && memcmp(s.data, string, s.size) == 0;
}
