/* SPDX-License-Identifier: MIT */
#include "config/lines.h"

static Span lines_cut_comment(Span s)
{
        for (size_t i = 0; i < s.size; i++)
                if (s.data[i] == '#' && (i == 0 || span_is_blank(s.data[i - 1])))
                        s.size = i;
        return s;
}

static const char *lines_check_bytes(Span s)
{
        for (size_t i = 0; i < s.size; i++)
                if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f)
                        return "the line contains a control character; remove it";
        return NULL;
}

/* Removes CR from the end of a line, so that the line is parsed normally even if it ends in CR LF.
 * Returns an error for the first such line of a file, and NULL for all other lines. */
static const char *lines_cut_return(LineReader *reader, Span *line)
{
        if (line->size == 0 || line->data[line->size - 1] != '\r')
                return NULL;
        line->size--;
        if (reader->has_returns)
                return NULL;
        reader->has_returns = true;
        return "the line ends in CR LF; convert the file to Unix line ends (dos2unix)";
}

static Line lines_parse(Span text)
{
        Line line = { .kind = LINE_INVALID };

        if (text.data[0] == '[') {
                if (text.data[text.size - 1] != ']') {
                        line.error = "the closing bracket is missing; write [Name]";
                        return line;
                }
                line.kind = LINE_SECTION;
                line.key = (Span){ .data = text.data + 1, .size = text.size - 2 };
        } else if (span_take_until(&text, '=', &line.key)) {
                line.kind = LINE_ASSIGNMENT;
                line.key = span_trim(line.key);
                line.value = span_trim(text);
        } else {
                line.error = "the line is neither a [Section] nor Key=Value; lines can't be "
                             "continued, so write the key again";
        }
        return line;
}

Line lines_next(LineReader *reader)
{
        while (reader->rest.size > 0) {
                Line line = { .kind = LINE_INVALID };
                const char *returns;
                Span text;

                if (!span_take_until(&reader->rest, '\n', &text))
                        (void)span_take(&reader->rest, reader->rest.size, &text);
                reader->number++;
                returns = lines_cut_return(reader, &text);
                line.error = lines_check_bytes(text);
                text = span_trim(lines_cut_comment(text));
                if (!line.error && text.size > 0 && text.data[0] != ';')
                        line = lines_parse(text);
                if (!line.error)
                        line.error = returns;
                if (line.error || line.kind != LINE_INVALID)
                        return line;
        }
        return (Line){ .kind = LINE_END };
}

bool words_next(Span *list, Span *ret_word)
{
        size_t size = 0;

        *list = span_trim(*list);
        while (size < list->size && !span_is_blank(list->data[size]))
                size++;
        return size > 0 && span_take(list, size, ret_word);
}
