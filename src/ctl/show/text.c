/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "ctl/show/text.h"
#include "util/cleanup.h"

char *command(const char *format, ...)
{
        char *text;
        va_list args;
        int r;

        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        return r < 0 ? NULL : text;
}

/* How many bytes it has; 0: none is here. In UTF-8, those of ISO 6429 from 0x80 on take two bytes.
 */
static size_t control_character(const char *at)
{
        if ((unsigned char)*at < ' ' || *at == 0x7f)
                return 1;
        return (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
                               (unsigned char)at[1] < 0xa0
                       ? 2
                       : 0;
}

static bool has_control_characters(const char *text)
{
        for (; *text; text++)
                if (control_character(text) > 0)
                        return true;
        return false;
}

void text_make_harmless(char *text)
{
        for (; text && *text; text++)
                for (size_t i = control_character(text); i > 0; i--)
                        text[i - 1] = '?';
}

/* With a backslash, or more, in front of each byte that is in special. */
static char *escape(const char *text, const char *special, const char *with)
{
        char *escaped, *at;

        if (has_control_characters(text))
                return NULL;
        escaped = malloc(strlen(text) * (strlen(with) + 1) + 1);
        if (!escaped)
                return NULL;
        at = escaped;
        for (; *text; text++) {
                if (strchr(special, *text))
                        at = stpcpy(at, with);
                *at++ = *text;
        }
        *at = 0;
        return escaped;
}

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_"

char *shell_quote(const char *text)
{
        _cleanup_free_ char *inner = NULL;

        if (text[0] && text[strspn(text, PLAIN)] == 0)
                return strdup(text);
        /* A quote ends the word, stands escaped, and begins the rest: 'it'\''s'. */
        inner = escape(text, "'", "'\\'");
        return inner ? command("'%s'", inner) : NULL;
}

char *sed_escape(const char *text)
{
        return escape(text, "\\/.*[]^$&", "\\");
}
