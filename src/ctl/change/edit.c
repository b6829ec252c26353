/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "config/lines.h"
#include "ctl/change/edit.h"
#include "util/cleanup.h"

/* Copies the text from *from up to "to", and sets *from to "to". */
static void edit_copy(FILE *out, const uint8_t **from, const uint8_t *to)
{
        (void)fwrite(*from, 1, (size_t)(to - *from), out);
        *from = to;
}

/* Copies the text from *from up to the value of the line, then writes the new value, and sets *from
 * to the end of the old value. If value is NULL, leaves out the line except its comment, and sets
 * *from to the text that follows. rest: the text after the line. */
static void edit_line(FILE *out, const uint8_t **from, const Line *line, const uint8_t *rest,
                      const char *value)
{
        const uint8_t *end = line->value.data + line->value.size, *begin = line->key.data;
        const Span after = span_trim((Span){ .data = end, .size = (size_t)(rest - end) });

        if (value) {
                edit_copy(out, from, line->value.data);
                fputs(value, out);
                *from = end;
        } else if (after.size == 0 || after.data[0] == '\n') {
                while (begin > *from && begin[-1] != '\n')
                        begin--;
                edit_copy(out, from, begin);
                *from = rest;
        } else {
                edit_copy(out, from, begin);
                *from = after.data;
        }
}

char *edit_setting(Span text, const char *key, const char *value)
{
        const uint8_t *from = text.data, *end = text.data + text.size;
        LineReader reader = { .rest = text };
        char *edited = NULL;
        size_t size;
        FILE *out = open_memstream(&edited, &size);
        Line line;

        if (!out)
                return NULL;
        while ((line = lines_next(&reader)).kind != LINE_END)
                if (line.kind == LINE_ASSIGNMENT && span_equals(line.key, key)) {
                        edit_line(out, &from, &line, reader.rest.data, value);
                        value = NULL;
                }
        edit_copy(out, &from, end);
        if (value)
                fprintf(out, "%s%s=%s\n", text.size > 0 && end[-1] != '\n' ? "\n" : "", key, value);
        if (fclose(out) == 0)
                return edited;
        free(edited);
        return NULL;
}
