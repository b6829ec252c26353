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
        if (s.size > 0 && s.data[s.size - 1] == '\r')
                return "the line ends in CR LF; convert the file to Unix line ends (dos2unix)";
        for (size_t i = 0; i < s.size; i++)
                if ((s.data[i] < ' ' && s.data[i] != '\t') || s.data[i] == 0x7f)
                        return "the line holds a control character; remove it";
        return NULL;
}

static Line lines_parse(Span text)
{
        Line line = { .kind = LINE_INVALID };

        if (text.data[0] == '[') {
                if (text.data[text.size - 1] != ']') {
                        line.error = "a section is written [Name]; the closing bracket is missing";
                        return line;
                }
                line.kind = LINE_SECTION;
                line.key = (Span){ .data = text.data + 1, .size = text.size - 2 };
        } else if (span_take_until(&text, '=', &line.key)) {
                line.kind = LINE_ASSIGNMENT;
                line.key = span_trim(line.key);
                line.value = span_trim(text);
        } else {
                line.error = "neither a [Section] nor Key=Value; lines are not continued, write "
                             "the key again";
        }
        return line;
}

Line lines_next(LineReader *reader)
{
        while (reader->rest.size > 0) {
                const char *error;
                Span text;

                if (!span_take_until(&reader->rest, '\n', &text))
                        (void)span_take(&reader->rest, reader->rest.size, &text);
                reader->number++;
                error = lines_check_bytes(text);
                if (error)
                        return (Line){ .kind = LINE_INVALID, .error = error };
                text = span_trim(lines_cut_comment(text));
                if (text.size > 0 && text.data[0] != ';')
                        return lines_parse(text);
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
