/* SPDX-License-Identifier: MIT */
#include <strings.h>

#include "sendmail/header.h"

/* Returns the length of the first line, with its line end. */
static size_t header_line(Span rest)
{
        const uint8_t *end = rest.size > 0 ? memchr(rest.data, '\n', rest.size) : NULL;

        return end ? (size_t)(end - rest.data) + 1 : rest.size;
}

/* Returns the length of the field name at the front of a line, or 0 if no field begins there. */
static size_t header_name(Span rest)
{
        size_t n = 0, colon;

        while (n < rest.size && rest.data[n] > ' ' && rest.data[n] <= '~' && rest.data[n] != ':')
                n++;
        colon = n;
        while (colon < rest.size && span_is_blank(rest.data[colon]))
                colon++;
        return colon < rest.size && rest.data[colon] == ':' ? n : 0;
}

bool header_next(Span *rest, HeaderField *ret)
{
        const size_t n = header_name(*rest);
        size_t size = header_line(*rest);
        const uint8_t *colon;

        if (n == 0)
                return false;
        while (size < rest->size && span_is_blank(rest->data[size]))
                size += header_line((Span){ rest->data + size, rest->size - size });
        ret->name = (Span){ rest->data, n };
        (void)span_take(rest, size, &ret->whole);
        colon = memchr(ret->whole.data, ':', size);
        ret->value = (Span){ colon + 1, size - (size_t)(colon + 1 - ret->whole.data) };
        while (ret->value.size > 0 && (ret->value.data[ret->value.size - 1] == '\n' ||
                                       ret->value.data[ret->value.size - 1] == '\r'))
                ret->value.size--;
        return true;
}

bool header_is(const HeaderField *field, const char *name)
{
        return field->name.size == strlen(name) &&
               strncasecmp((const char *)field->name.data, name, field->name.size) == 0;
}

/* --- addresses --- */

typedef struct Scan {
        char *text; /* HEADER_ADDRESS_MAX bytes */
        size_t n;
        unsigned depth; /* of nested comments */
        bool is_quoted, is_escaped;
        bool is_in_brackets, had_brackets;
        bool has_gap; /* a blank after the last byte */
        bool is_invalid;
} Scan;

static void header_keep(Scan *scan, char c)
{
        const char last = scan->n > 0 ? scan->text[scan->n - 1] : '@';

        /* Two words without a dot or "@" between them are a name, and not an address. */
        if (scan->has_gap && !strchr(".@", c) && !strchr(".@", last))
                scan->is_invalid = true;
        scan->has_gap = false;
        if (scan->n + 1 < HEADER_ADDRESS_MAX)
                scan->text[scan->n++] = c;
        else
                scan->is_invalid = true;
}

static void header_forget(Scan *scan)
{
        scan->n = 0;
        scan->has_gap = scan->is_invalid = false;
}

/* Handles a byte in a comment or a quoted string. */
static void header_scan_inner(Scan *scan, char c)
{
        const bool was_escaped = scan->is_escaped;

        scan->is_escaped = !was_escaped && c == '\\';
        if (scan->is_quoted && (!scan->had_brackets || scan->is_in_brackets)) {
                scan->has_gap = false;
                header_keep(scan, c);
        }
        if (was_escaped || scan->is_escaped)
                return;
        if (scan->is_quoted)
                scan->is_quoted = c != '"';
        else
                scan->depth += c == '(' ? 1U : c == ')' ? -1U : 0U;
}

/* Returns false if the address has ended before c. */
static bool header_scan(Scan *scan, char c)
{
        if (scan->is_quoted || scan->depth > 0) {
                header_scan_inner(scan, c);
        } else if (c == '(') {
                scan->depth = 1;
        } else if (strchr(" \t\r\n", c)) {
                scan->has_gap = scan->n > 0;
        } else if (c == '<' && !scan->had_brackets) {
                header_forget(scan);
                scan->is_in_brackets = scan->had_brackets = true;
        } else if (c == '>' && scan->is_in_brackets) {
                scan->is_in_brackets = false;
        } else if (!scan->is_in_brackets && (c == ',' || c == ';')) {
                return false;
        } else if (c == ':' && !scan->had_brackets) {
                header_forget(scan); /* the name of a group */
        } else if (!scan->had_brackets || scan->is_in_brackets) {
                scan->is_quoted = c == '"';
                header_keep(scan, c);
        } else {
                scan->is_invalid = true;
        }
        return true;
}

HeaderAddress header_next_address(Span *list, char ret[static HEADER_ADDRESS_MAX])
{
        Scan scan = { .text = ret };
        Span byte;
        bool goes_on = true;

        while (goes_on && span_take(list, 1, &byte)) {
                goes_on = byte.data[0] != 0 && header_scan(&scan, (char)byte.data[0]);
                /* If no address precedes the comma or the semicolon, the search continues: the list
                 * has an empty place here, or a group ends here. */
                if (!goes_on && byte.data[0] != 0 && scan.n == 0 && !scan.had_brackets)
                        goes_on = true;
                scan.is_invalid |= byte.data[0] == 0;
        }
        ret[scan.n] = 0;
        if (scan.n == 0 && !scan.had_brackets && !scan.is_invalid && scan.depth == 0)
                return HEADER_ADDRESSES_END;
        if (scan.n == 0 || scan.is_invalid || scan.is_quoted || scan.is_in_brackets ||
            scan.depth > 0)
                return HEADER_ADDRESS_INVALID;
        return HEADER_ADDRESS;
}
