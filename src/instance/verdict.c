/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <string.h>

#include "instance/verdict.h"
#include "util/text.h"

/* The record separator and the unit separator of ASCII, which text_make_harmless() replaces in the
 * fields of a record. */
#define BEGIN '\x1e'
#define NEXT  '\x1f'

void verdict_write(FILE *out, const Verdict *verdict)
{
        text_make_harmless(verdict->file, 0);
        text_make_harmless(verdict->what, 0);
        (void)fprintf(out, "%c%u%c%u%c%s%c%s\n", BEGIN, (unsigned)verdict->kind, NEXT,
                      verdict->line, NEXT, verdict->file ? verdict->file : "", NEXT,
                      verdict->what ? verdict->what : "");
}

static bool verdict_take_number(char **rest, unsigned max, unsigned *ret)
{
        const char *text = strsep(rest, (const char[]){ NEXT, 0 });
        uint64_t number;

        if (!*rest || !text_number(span_from_string(text), max, &number))
                return false;
        *ret = (unsigned)number;
        return true;
}

/* Returns false if the record is malformed. */
static bool verdict_split(char *record, Verdict *ret)
{
        unsigned kind;

        if (!verdict_take_number(&record, VERDICT_KINDS - 1, &kind) ||
            !verdict_take_number(&record, UINT_MAX, &ret->line))
                return false;
        ret->kind = (VerdictKind)kind;
        ret->file = strsep(&record, (const char[]){ NEXT, 0 });
        ret->what = record;
        return record && (kind == VERDICT_END || ret->file[0] == '/');
}

bool verdict_read(char *text, void (*found)(const Verdict *verdict, void *userdata), void *userdata)
{
        char *begin, *end;
        Verdict verdict;

        while ((begin = strchr(text, BEGIN)) && (end = strchr(begin, '\n'))) {
                bool is_whole;

                *end = 0;
                is_whole = verdict_split(begin + 1, &verdict);
                if (is_whole && verdict.kind != VERDICT_END)
                        found(&verdict, userdata);
                /* Removes the record: the remaining text is for people. */
                memmove(begin, end + 1, strlen(end + 1) + 1);
                text = begin;
                if (is_whole && verdict.kind == VERDICT_END)
                        return true;
        }
        return false;
}
