/* SPDX-License-Identifier: MIT */
/*
 * Runs a parser on input that ends right before an unreadable page, so that reading one byte too
 * many ends the test, and checks what every result must fulfil.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "sniff/sniff.h"

#define GUARD_SIZE_MAX (1024 * 1024)

typedef Sniff (*Parser)(Span in);

static inline uint8_t *guard_page(void)
{
        static uint8_t *guard = NULL;
        size_t page = (size_t)sysconf(_SC_PAGESIZE);
        uint8_t *map;

        if (guard != NULL)
                return guard;
        map = mmap(NULL, GUARD_SIZE_MAX + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                   -1, 0);
        assert_ptr_not_equal(map, MAP_FAILED);
        guard = map + GUARD_SIZE_MAX;
        assert_int_equal(mprotect(guard, page, PROT_NONE), 0);
        return guard;
}

static inline Sniff guarded(Parser parse, const void *data, size_t size)
{
        uint8_t *at = guard_page() - size;
        Sniff s;

        assert_true(size <= GUARD_SIZE_MAX);
        memcpy(at, data, size);
        s = parse((Span){ .data = at, .size = size });
        switch (s.outcome) {
        case SNIFF_MORE:
                assert_true(s.need_bytes > size);
                break;
        case SNIFF_HOST:
                assert_in_range(s.host_length, 1, SNIFF_HOST_MAX);
                break;
        case SNIFF_NO_HOST:
        case SNIFF_MALFORMED:
                break;
        }
        return s;
}

static inline void assert_host(const char *label, const Sniff *s, const char *host)
{
        Span seen = { .data = s->host, .size = s->host_length };

        if (s->outcome != SNIFF_HOST)
                fail_msg("%s: outcome %d", label, (int)s->outcome);
        if (!span_equals(seen, host))
                fail_msg("%s: host '%.*s'", label, (int)s->host_length, (const char *)s->host);
}

static inline void assert_outcome(const char *label, const Sniff *s, SniffOutcome outcome)
{
        if (s->outcome != outcome)
                fail_msg("%s: outcome %d, not %d", label, (int)s->outcome, (int)outcome);
}

/* Of every shorter input there is more to come, and never more than there is. */
static inline void assert_prefixes_need_more(const char *label, Parser parse, const void *data,
                                             size_t size)
{
        for (size_t n = 0; n < size; n++) {
                Sniff s = guarded(parse, data, n);

                if (s.outcome != SNIFF_MORE || s.need_bytes > size)
                        fail_msg("%s: %zu of %zu bytes: outcome %d, needs %zu", label, n, size,
                                 (int)s.outcome, s.need_bytes);
        }
}
