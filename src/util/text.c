/* SPDX-License-Identifier: MIT */
#include <stdio.h>

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
