/* SPDX-License-Identifier: MIT */
/* A reader has the rest of a parser's input. The parser takes bytes from the front of this rest,
 * until it has understood the input or must stop. */
#pragma once

#include "sniff/sniff.h"

typedef struct Reader {
        Span rest;
        SniffOutcome verdict; /* why reading has stopped: SNIFF_MORE or SNIFF_MALFORMED */
} Reader;

/* All functions return whether to continue. */
static inline bool reader_stop(Reader *reader, SniffOutcome verdict)
{
        reader->verdict = verdict;
        return false;
}

static inline bool reader_check(Reader *reader, bool is_valid)
{
        return is_valid || reader_stop(reader, SNIFF_MALFORMED);
}

/* Takes exactly these bytes from the front. If one of them is wrong, the input is malformed, even
 * if later bytes are still missing. */
static inline bool reader_expect(Reader *reader, const void *bytes, size_t size)
{
        const size_t here = reader->rest.size < size ? reader->rest.size : size;
        Span taken;

        if (here > 0 && memcmp(reader->rest.data, bytes, here) != 0)
                return reader_stop(reader, SNIFF_MALFORMED);
        return span_take(&reader->rest, size, &taken) || reader_stop(reader, SNIFF_MORE);
}

static inline bool reader_expect_text(Reader *reader, const char *text)
{
        return reader_expect(reader, text, strlen(text));
}
