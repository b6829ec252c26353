/* SPDX-License-Identifier: MIT */
#include "config/lines.h"

static bool lines_is_blank(uint8_t c)
{
        return c == ' ' || c == '\t';
}

static Span lines_trim(Span s)
{
        while (s.size > 0 && lines_is_blank(s.data[0])) {
                s.data++;
                s.size--;
        }
        while (s.size > 0 && lines_is_blank(s.data[s.size - 1]))
                s.size--;
        return s;
}

static Span lines_cut_comment(Span s)
{
        for (size_t i = 0; i < s.size; i++)
                if (s.data[i] == '#' && (i == 0 || lines_is_blank(s.data[i - 1])))
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

static Line lines_parse(Span text, unsigned number)
{
        Line line = { .kind = LINE_INVALID, .number = number };
        const uint8_t *equals;

        if (text.data[0] == '[') {
                if (text.data[text.size - 1] != ']') {
                        line.error = "a section is written [Name]; the closing bracket is missing";
                        return line;
                }
                line.kind = LINE_SECTION;
                line.key = (Span){ .data = text.data + 1, .size = text.size - 2 };
                return line;
        }
        equals = memchr(text.data, '=', text.size);
        if (!equals) {
                line.error = "neither a [Section] nor Key=Value; lines are not continued, write "
                             "the key again";
                return line;
        }
        line.kind = LINE_ASSIGNMENT;
        line.key = lines_trim((Span){ .data = text.data, .size = (size_t)(equals - text.data) });
        line.value = lines_trim(
                (Span){ .data = equals + 1, .size = text.size - (size_t)(equals - text.data) - 1 });
        return line;
}

Line lines_next(LineReader *reader)
{
        while (reader->rest.size > 0) {
                const uint8_t *newline = memchr(reader->rest.data, '\n', reader->rest.size);
                const size_t size =
                        newline ? (size_t)(newline - reader->rest.data) : reader->rest.size;
                Span text = { .data = reader->rest.data, .size = size };
                const char *error;

                reader->rest.data += size + (newline ? 1 : 0);
                reader->rest.size -= size + (newline ? 1 : 0);
                reader->number++;

                error = lines_check_bytes(text);
                if (error)
                        return (Line){ .kind = LINE_INVALID,
                                       .number = reader->number,
                                       .error = error };
                text = lines_trim(lines_cut_comment(text));
                if (text.size > 0 && text.data[0] != ';')
                        return lines_parse(text, reader->number);
        }
        return (Line){ .kind = LINE_END, .number = reader->number };
}

bool words_next(Span *list, Span *ret_word)
{
        Span word = lines_trim(*list);

        for (size_t i = 0; i < word.size; i++)
                if (lines_is_blank(word.data[i])) {
                        *list = (Span){ .data = word.data + i, .size = word.size - i };
                        *ret_word = (Span){ .data = word.data, .size = i };
                        return true;
                }
        *list = (Span){ .data = word.data + word.size, .size = 0 };
        *ret_word = word;
        return word.size > 0;
}
