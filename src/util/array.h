/* SPDX-License-Identifier: MIT */
/* Growing arrays: malloc()ed elements and a count, from which the room follows: ARRAY_ROOM_MIN,
 * then each power of two. So an array begins as NULL and 0 and grows by array_append() alone;
 * taking elements off its end is allowed. */
#pragma once

#include <errno.h>
#include <stdlib.h>

#define ARRAY_ROOM_MIN 8

/* Returns the array, or a larger copy of it where n elements fill its room; NULL without memory,
 * and the array is as it was. */
static inline void *array_make_room(void *array, size_t n, size_t element_bytes)
{
        if (n != 0 && (n < ARRAY_ROOM_MIN || (n & (n - 1)) != 0))
                return array;
        return reallocarray(array, n != 0 ? n * 2 : ARRAY_ROOM_MIN, element_bytes);
}

/* Appends a value, which may be a compound literal, and counts it in n. Evaluates to 0, or -ENOMEM
 * with array and n as they were; the value then stays the caller's. */
#define array_append(array, n, ...)                                             \
        ({                                                                      \
                void *_room_ = array_make_room((array), (n), sizeof(*(array))); \
                                                                                \
                if (_room_) {                                                   \
                        (array) = _room_;                                       \
                        (array)[n] = __VA_ARGS__;                               \
                        (n)++;                                                  \
                }                                                               \
                _room_ ? 0 : -ENOMEM;                                           \
        })
