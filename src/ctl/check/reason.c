/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdbool.h>

#include "ctl/check/reason.h"
#include "util/array.h"
#include "util/cleanup.h"

#define SYNTAX_ERROR "Syntax error on line "
#define NGINX_END    "nginx: configuration file "

typedef enum Level {
        LEVEL_NONE, /* the line has no level */
        LEVEL_WARNING,
        LEVEL_ERROR,
        LEVEL_ERROR_OF_PHP,
        LEVEL_ERROR_OF_NGINX,
} Level;

typedef struct Line {
        char *whole;
        char *text; /* without the prefixes of programs */
        Level level;
        bool is_numbered; /* "AH00526: " was before the text */
} Line;

void reason_done(Reason *reason)
{
        free(reason->file);
        free(reason->what);
        *reason = (Reason){ .what = NULL };
}

static bool reason_begins(const char *text, const char *words)
{
        return strncmp(text, words, strlen(words)) == 0;
}

/* Skips a prefix of Apache, such as "[date] [core:warn] [pid 7:tid 7] ". */
static char *reason_skip_brackets(char *text, Level *ret)
{
        static const char *const quiet[] = { ":warn]", ":notice]", ":info]", ":debug]", ":trace" };
        char *end;

        while (text[0] == '[' && (end = strstr(text, "] "))) {
                for (size_t i = 0; i < ELEMENTSOF(quiet); i++) {
                        const char *level = strstr(text, quiet[i]);

                        if (level && level <= end)
                                *ret = LEVEL_WARNING;
                }
                text = end + 2;
        }
        return text;
}

/* Skips the level in a prefix of PHP-FPM, such as "[date] ERROR: ". text: the text after the
 * date. */
static char *reason_skip_php(char *text, Level *ret)
{
        static const char *const levels[] = { "ERROR: ", "ALERT: ", "WARNING: ", "NOTICE: ",
                                              "DEBUG: " };

        for (size_t i = 0; i < ELEMENTSOF(levels); i++)
                if (reason_begins(text, levels[i])) {
                        *ret = i < 2 ? LEVEL_ERROR_OF_PHP : LEVEL_WARNING;
                        return text + strlen(levels[i]);
                }
        return text;
}

/* Skips a prefix of nginx: "2026/11/29 09:00:00 [emerg] 7#7: ", or "nginx: [emerg] " if nginx has
 * not opened its log yet. */
static char *reason_skip_nginx(char *text, Level *ret)
{
        static const char *const levels[] = { "[emerg] ", "[alert] ", "[crit] ",
                                              "[error] ", "[warn] ",  "[notice] " };
        int used = 0, process = 0;

        (void)sscanf(text, "%*u/%*u/%*u %*u:%*u:%*u %n", &used);
        if (used == 0)
                (void)sscanf(text, "nginx: %n", &used);
        for (size_t i = 0; used > 0 && i < ELEMENTSOF(levels); i++)
                if (reason_begins(text + used, levels[i])) {
                        *ret = i < 4 ? LEVEL_ERROR_OF_NGINX : LEVEL_WARNING;
                        text += (size_t)used + strlen(levels[i]);
                        (void)sscanf(text, "%*u#%*u: %n", &process);
                        return text + process;
                }
        return text;
}

static bool reason_is_quiet(const char *text)
{
        static const char *const words[] = {
                "Warning:",
                "Syntax OK",
                NGINX_END,
                "NameVirtualHost has no effect",
                /* These lines follow an error and don't name its cause. */
                "Pre-configuration failed",
                "Configuration check failed",
                "Configuration Failed",
                "PHP would not start",
                "The server would not start",
                "Fatal error initialising mod_ssl",
        };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (strncasecmp(text, words[i], strlen(words[i])) == 0)
                        return true;
        return text[0] == 0 || strstr(text, "reliably determine the server's fully qualified");
}

static Line reason_read_line(char *text)
{
        Line line = { .whole = text, .level = LEVEL_NONE };
        char *date = text[0] == '[' ? strstr(text, "] ") : NULL;

        text[strcspn(text, "\r")] = 0;
        /* bellhop-instance begins a line with a level for the journal, such as "<3>": see
         * sd-daemon(3). */
        if (text[0] == '<' && isdigit((unsigned char)text[1]) && text[2] == '>') {
                line.level = text[1] <= '3' ? LEVEL_ERROR : LEVEL_WARNING;
                text += 3;
        }
        if (date)
                text = reason_skip_php(date + 2, &line.level);
        if (line.level == LEVEL_NONE)
                text = reason_skip_nginx(text, &line.level);
        if (line.level == LEVEL_NONE)
                text = reason_skip_brackets(text, &line.level);
        line.is_numbered = reason_begins(text, "AH") && strspn(text + 2, "0123456789") == 5 &&
                           text[7] == ':' && text[8] == ' ';
        if (line.level == LEVEL_NONE && reason_is_quiet(text + (line.is_numbered ? 9 : 0)))
                line.level = LEVEL_WARNING;
        line.text = text;
        return line;
}

/* Takes the line number from "FILE:3: what", and returns "what". */
static char *reason_skip_place(const char *file, char *text, unsigned *ret)
{
        const size_t length = strlen(file);
        int used = 0;

        if (!reason_begins(text, file) || sscanf(text + length, ":%u: %n", ret, &used) != 1 ||
            used == 0)
                return text;
        return text + length + used;
}

/* Reads "Syntax error on line 7 of A: Syntax error on line 3 of B: what". Here, the error is in
 * file B, which file A includes. If the line begins with a number such as AH00526, it names only
 * one file, and the following line has the error. next: the following line. Returns false if the
 * line has another form. */
static bool reason_take_syntax(const Line *line, char *next, Reason *ret)
{
        char *text = strstr(line->text, SYNTAX_ERROR), *end, *what;

        /* Only the name of the program may be before "Syntax error". */
        if (!text || strcspn(line->text, " ") + 1 < (size_t)(text - line->text))
                return false;
        for (;;) {
                int used = 0;

                if (sscanf(text, SYNTAX_ERROR "%u of %n", &ret->line, &used) != 1 || used == 0)
                        return false;
                text += used;
                end = line->is_numbered ? NULL : strstr(text, ": " SYNTAX_ERROR);
                if (!end)
                        break;
                text = end + 2;
        }
        what = next;
        end = text + strlen(text);
        if (line->is_numbered && what && end > text && end[-1] == ':')
                end--;
        else if ((end = strstr(text, ": ")))
                what = end + 2;
        else
                return false;
        *end = 0;
        ret->file = strdup(text);
        what = ret->file ? reason_skip_place(text, what, &ret->line) : NULL;
        ret->what = what ? strdup(what) : NULL;
        return true;
}

/* Reads an error of PHP-FPM: "[FILE:4] what", or only "what". */
static void reason_take_php(char *text, Reason *ret)
{
        char *end = text[0] == '[' && text[1] == '/' ? strstr(text, "] ") : NULL;
        char *colon = end ? memrchr(text, ':', (size_t)(end - text)) : NULL;

        if (colon && sscanf(colon, ":%u]", &ret->line) == 1) {
                *colon = 0;
                ret->file = strdup(text + 1);
                text = end + 2;
        }
        ret->what = strdup(text);
}

/* Cuts " in FILE:3" from the end of text, and sets file and line of *ret. Sets nothing for a file
 * in /proc, which contains configuration that bellhop-instance wrote. */
static void reason_take_place(char *text, Reason *ret)
{
        char *place = NULL, *colon;
        int used = 0;

        for (char *at = text; (at = strstr(at, " in /")); at++)
                place = at;
        colon = place ? strrchr(place, ':') : NULL;
        if (!colon || sscanf(colon, ":%u%n", &ret->line, &used) != 1 || colon[used]) {
                ret->line = 0;
                return;
        }
        *colon = *place = 0;
        place += strlen(" in ");
        if (reason_begins(place, "/proc/"))
                ret->line = 0;
        else
                ret->file = strdup(place);
}

/* Takes the first error if it is from nginx, which reports only one error. The error may quote text
 * with line breaks, so the file and the line number are at the end of the last line of the error.
 * Returns whether there was such an error. */
static bool reason_take_nginx(Line lines[], size_t n, Reason *ret)
{
        size_t first = 0, end;

        while (first < n && lines[first].level == LEVEL_WARNING)
                first++;
        if (first == n || lines[first].level != LEVEL_ERROR_OF_NGINX)
                return false;
        for (end = n; end > first + 1 && !reason_begins(lines[end - 1].whole, NGINX_END);)
                end--;
        reason_take_place(lines[end > first + 1 ? end - 2 : first].text, ret);
        ret->what = strdup(lines[first].text);
        return true;
}

static int reason_split(char *said, Line **ret, size_t *ret_n)
{
        Line *lines = NULL;
        size_t n = 0;
        char *text;
        int r = 0;

        while (r == 0 && (text = strsep(&said, "\n")))
                r = array_append(lines, n, reason_read_line(text));
        *ret = lines;
        *ret_n = n;
        return r;
}

static void reason_choose(Line lines[], size_t n, Reason *ret)
{
        const Line *last = NULL;

        if (reason_take_nginx(lines, n, ret))
                return;
        /* Looks for numbered lines first: the line after a numbered line may quote configuration
         * that looks like an unnumbered syntax error. */
        for (size_t i = n; i-- > 0;)
                if (lines[i].is_numbered && i + 1 < n &&
                    reason_take_syntax(&lines[i], lines[i + 1].whole, ret))
                        return;
        for (size_t i = n; i-- > 0;)
                if (reason_take_syntax(&lines[i], NULL, ret))
                        return;
        for (size_t i = n; !last && i-- > 0;)
                if (lines[i].level != LEVEL_WARNING)
                        last = &lines[i];
        /* The first error of PHP-FPM is the reason, and the others are its consequences. */
        for (size_t i = 0; last && last->level == LEVEL_ERROR_OF_PHP && i < n; i++)
                if (lines[i].level == LEVEL_ERROR_OF_PHP ||
                    reason_begins(lines[i].text, "PHP:  ")) {
                        reason_take_php(lines[i].text, ret);
                        return;
                }
        ret->what = strdup(last ? last->text : "the test failed without a message");
}

int reason_find(char *said, Reason *ret)
{
        _cleanup_free_ Line *lines = NULL;
        size_t n;
        const int r = reason_split(said, &lines, &n);

        *ret = (Reason){ .what = NULL };
        if (r == 0)
                reason_choose(lines, n, ret);
        if (ret->what)
                return 0;
        reason_done(ret);
        return r < 0 ? r : -ENOMEM;
}
