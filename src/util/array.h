/* SPDX-License-Identifier: MIT */
/* Growing arrays: malloc()ed elements and their number n. An array begins as NULL with n = 0. At
 * first it gets room for ARRAY_ROOM_MIN elements. Each time that it is full, its room doubles, so n
 * alone determines the room. Add elements one at a time, at the end. To remove elements from the
 * end, decrease n. */
#pragma once

#include <errno.h>
#include <stdlib.h>

#define ARRAY_ROOM_MIN 8

/* Makes room for one more element. Returns the array, which may have moved. If there is not enough
 * memory, returns NULL, and the array is unchanged. */
static inline void *array_make_room(void *array, size_t n, size_t element_bytes)
{
        if (n != 0 && (n < ARRAY_ROOM_MIN || (n & (n - 1)) != 0))
                return array;
        return reallocarray(array, n != 0 ? n * 2 : ARRAY_ROOM_MIN, element_bytes);
}

/* Appends a value, which may be a compound literal, and adds 1 to n. Evaluates to 0 or -ENOMEM.
 * With -ENOMEM, array and n are unchanged, and the caller still owns the value. */
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
