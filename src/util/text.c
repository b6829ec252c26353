/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/param.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

char *text_format_args(const char *format, va_list args)
{
        char *text;

        return vasprintf(&text, format, args) < 0 ? NULL : text;
}

char *text_format(const char *format, ...)
{
        va_list args;
        char *text;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        return text;
}

int texts_append(char ***texts, size_t *n, const char *text)
{
        char *copy = strdup(text);
        const int r = copy ? array_append(*texts, *n, copy) : -ENOMEM;

        if (r < 0)
                free(copy);
        return r;
}

void texts_free(char **texts, size_t n)
{
        for (size_t i = 0; i < n; i++)
                free(texts[i]);
        free(texts);
}

char *texts_join(char *const texts[], size_t n, const char *separator)
{
        char *joined = NULL;

        for (size_t i = 0; i < n; i++) {
                char *longer = text_format("%s%s%s", joined ? joined : "", i > 0 ? separator : "",
                                           texts[i]);

                free(joined);
                if (!longer)
                        return NULL;
                joined = longer;
        }
        return joined;
}

bool text_number(Span text, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;

        for (size_t i = 0; i < text.size; i++) {
                const unsigned digit = (unsigned)text.data[i] - '0';

                if (digit > 9 || digit > max || n > (max - digit) / 10)
                        return false;
                n = n * 10 + digit;
        }
        if (text.size == 0)
                return false;
        *ret = n;
        return true;
}

static bool text_same_letter(uint8_t a, uint8_t b)
{
        return (a | 0x20) == (b | 0x20);
}

/* d[i][j] is the distance between the first i bytes of a and the first j bytes of b. */
size_t text_distance(Span a, Span b)
{
        size_t d[TEXT_DISTANCE_MAX + 1][TEXT_DISTANCE_MAX + 1];

        if (a.size > TEXT_DISTANCE_MAX || b.size > TEXT_DISTANCE_MAX)
                return SIZE_MAX;
        for (size_t i = 0; i <= a.size; i++)
                for (size_t j = 0; j <= b.size; j++) {
                        d[i][j] = i + j;
                        if (i == 0 || j == 0)
                                continue;
                        d[i][j] = MIN(MIN(d[i - 1][j], d[i][j - 1]) + 1,
                                      d[i - 1][j - 1] +
                                              !text_same_letter(a.data[i - 1], b.data[j - 1]));
                        if (i > 1 && j > 1 && text_same_letter(a.data[i - 1], b.data[j - 2]) &&
                            text_same_letter(a.data[i - 2], b.data[j - 1]))
                                d[i][j] = MIN(d[i][j], d[i - 2][j - 2] + 1);
                }
        return d[a.size][b.size];
}

/* --- displayed text --- */

/* Code points that are invisible, change the text around them, or are unassigned or private. */
static const struct {
        uint32_t first, last;
} text_hidden[] = {
        { 0x00, 0x1f },        { 0x7f, 0x9f },     { 0xad, 0xad },       { 0x34f, 0x34f },
        { 0x61c, 0x61c },      { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 },   { 0x180b, 0x180f },
        { 0x200b, 0x200f },    { 0x2028, 0x202e }, { 0x2060, 0x206f },   { 0x3164, 0x3164 },
        { 0xd800, 0xf8ff },    { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f },   { 0xfeff, 0xfeff },
        { 0xffa0, 0xffa0 },    { 0xfff0, 0xfffb }, { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
        { 0xe0000, 0x10ffff },
};

static bool text_is_hidden(uint32_t c)
{
        for (size_t i = 0; i < ELEMENTSOF(text_hidden); i++)
                if (c >= text_hidden[i].first && c <= text_hidden[i].last)
                        return true;
        return (c & 0xfffe) == 0xfffe;
}

/* Returns the size of the first character of text, or 0 if text does not begin with a character in
 * UTF-8 (RFC 3629). */
static size_t text_decode(const unsigned char *text, uint32_t *ret)
{
        static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
        const size_t size = text[0] < 0x80                      ? 1
                            : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
                            : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
                            : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
                                                                : 0;
        uint32_t c = size < 2 ? text[0] : text[0] & (0x7fU >> size);

        for (size_t i = 1; i < size; i++) {
                if ((text[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (text[i] & 0x3f);
        }
        *ret = c;
        return size > 0 && c >= least[size] && c <= 0x10ffff ? size : 0;
}

void text_make_harmless(char *text, char kept)
{
        while (text && *text) {
                uint32_t c = 0;
                const size_t size = text_decode((const unsigned char *)text, &c);

                if (size == 0 || (text_is_hidden(c) && c != (unsigned char)kept))
                        memset(text, '?', size > 0 ? size : 1);
                text += size > 0 ? size : 1;
        }
}
