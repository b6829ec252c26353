/* SPDX-License-Identifier: MIT */
/* What several unit tests need: input that ends at an unreadable page, a count of
 * descriptors, and a way not to run.
 */
#pragma once

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/cleanup.h"
#include "util/span.h"

/* A string that may hold NUL, with its size. */
#define S(string) (string), sizeof(string) - 1

/* Not cmocka's skip(): in Debian 12 that says "not ok", which meson takes for a failure. */
#define skip_test(reason)                                 \
        do {                                              \
                print_message("# skipped, " reason "\n"); \
                return;                                   \
        } while (0)

#define GUARDED_MAX (64 * 1024)

/* The bytes, so placed that reading one too many ends the test. Good until the next call. */
static inline Span guarded_span(const void *data, size_t size)
{
        static uint8_t *guard = NULL;
        const size_t page = (size_t)sysconf(_SC_PAGESIZE);

        if (guard == NULL) {
                guard = mmap(NULL, GUARDED_MAX + page, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                assert_ptr_not_equal(guard, MAP_FAILED);
                guard += GUARDED_MAX;
                assert_int_equal(mprotect(guard, page, PROT_NONE), 0);
        }
        assert_true(size <= GUARDED_MAX);
        if (size > 0)
                memcpy(guard - size, data, size);
        return (Span){ .data = guard - size, .size = size };
}

/* How many descriptors are open; the one that looks is among them each time. */
static inline size_t count_fds(void)
{
        DIR *dir = opendir("/proc/self/fd");
        size_t n = 0;

        assert_non_null(dir);
        while (readdir(dir))
                n++;
        assert_int_equal(closedir(dir), 0);
        return n;
}
