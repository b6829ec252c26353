/* SPDX-License-Identifier: MIT */
/* Growing arrays: malloc()ed elements and a count. The count determines the room: ARRAY_ROOM_MIN,
 * then each power of two. An array begins as NULL with a count of 0. Only array_append() can add
 * elements. To remove elements from the end, decrease the count. */
#pragma once

#include <errno.h>
#include <stdlib.h>

#define ARRAY_ROOM_MIN 8

/* Returns the array, or a larger copy if n elements fill its room; NULL without memory, with the
 * array unchanged. */
static inline void *array_make_room(void *array, size_t n, size_t element_bytes)
{
        if (n != 0 && (n < ARRAY_ROOM_MIN || (n & (n - 1)) != 0))
                return array;
        return reallocarray(array, n != 0 ? n * 2 : ARRAY_ROOM_MIN, element_bytes);
}

/* Appends a value, which may be a compound literal, and counts it in n. Evaluates to 0, or -ENOMEM
 * with array and n unchanged; the caller then keeps the value. */
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
