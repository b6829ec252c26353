/* SPDX-License-Identifier: MIT */
/*
 * What must be true of a sniffing parser on any input and on all its prefixes, as the router sees
 * them arrive. Aborts when it is not.
 */
#pragma once

#include "sniff/sniff.h"

#include <stdlib.h>

typedef Sniff (*Parser)(Span in);

/* The entry point that libFuzzer, AFL and replay.c call. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void require(bool condition)
{
        if (!condition)
                abort();
}

static inline bool sniff_equals(const Sniff *a, const Sniff *b)
{
        return a->outcome == b->outcome && a->protocol == b->protocol &&
               a->host_required == b->host_required && a->offers_acme == b->offers_acme &&
               a->need_bytes == b->need_bytes && a->host_length == b->host_length &&
               memcmp(a->host, b->host, a->host_length) == 0;
}

static inline void check_outcome(const Sniff *s, size_t size)
{
        switch (s->outcome) {
        case SNIFF_MORE:
                require(s->need_bytes > size);
                break;
        case SNIFF_HOST:
                require(s->host_length > 0 && s->host_length <= SNIFF_HOST_MAX);
                require(memchr(s->host, '\0', s->host_length) == NULL);
                break;
        case SNIFF_NO_HOST:
        case SNIFF_MALFORMED:
                break;
        default:
                abort();
        }
}

/* Parses a copy that ends where the prefix ends, so that the sanitizer sees a step beyond. */
static inline Sniff parse_copy(Parser parse, const uint8_t *data, size_t size)
{
        uint8_t *copy = malloc(size);
        Sniff s;

        require(size == 0 || copy != NULL);
        if (size > 0)
                memcpy(copy, data, size);
        s = parse((Span){ .data = copy, .size = size });
        free(copy);
        return s;
}

/*
 * A decision never changes by bytes that come later, and a complete outcome never comes before any
 * need_bytes that was told on the way. Long inputs are not tried at every length, to be fast.
 */
static inline void check_prefixes(Parser parse, const uint8_t *data, size_t size)
{
        size_t step = 1 + size / 512, need = 0;
        Sniff last = { .outcome = SNIFF_MORE };

        for (size_t n = 0; n <= size; n = n < size && n + step > size ? size : n + step) {
                Sniff s = parse_copy(parse, data, n);

                check_outcome(&s, n);
                if (last.outcome != SNIFF_MORE)
                        require(sniff_equals(&s, &last) || last.outcome == SNIFF_MALFORMED);
                if (last.outcome == SNIFF_MALFORMED)
                        require(s.outcome == SNIFF_MALFORMED);
                if (last.protocol != BELLHOP_PROTOCOL_UNKNOWN)
                        require(s.protocol == last.protocol);
                if (s.outcome == SNIFF_HOST || s.outcome == SNIFF_NO_HOST)
                        require(n >= need);
                if (s.outcome == SNIFF_MORE && s.need_bytes > need)
                        need = s.need_bytes;
                last = s;
        }
}
