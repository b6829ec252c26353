/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/param.h>

#include "util/array.h"
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

/* d[i][j]: the distance between the first i bytes of a and the first j of b. */
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

void text_make_harmless(char *text)
{
        for (; text && *text; text++) {
                const unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

                if (c < ' ' || c == 0x7f)
                        *text = '?';
                else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
                        text[0] = text[1] = '?';
        }
}
