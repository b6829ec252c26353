/* SPDX-License-Identifier: MIT */
/*
 * Manages standard output, its colours and the pager, while a verb of bellhopctl runs.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "ctl/show/output.h"
#include "util/cleanup.h"
#include "util/text.h"

/* The options of less(1) that systemd's tools use: quit if the output fits on the screen, keep
 * colours, ... */
#define LESS_OPTIONS "FRSXMK"

static bool output_color_is_wanted(void)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term &&
               strcmp(term, "dumb") != 0;
}

/* Starts the pager. Returns NULL if no pager is wanted or installed. */
static FILE *output_start_pager(void)
{
        const char *command = getenv("SYSTEMD_PAGER");
        _cleanup_free_ char *test = NULL;
        FILE *pager;

        if (!command)
                command = getenv("PAGER");
        if (!command)
                command = "less";
        if (command[0] == 0 || strcmp(command, "cat") == 0)
                return NULL;
        /* Without this check, all output would be lost if the pager is not installed. */
        test = text_format("command -v %.*s >/dev/null 2>&1", (int)strcspn(command, " \t"),
                           command);
        if (!test || system(test) != 0)
                return NULL;
        (void)setenv("LESS", getenv("SYSTEMD_LESS") ? getenv("SYSTEMD_LESS") : LESS_OPTIONS, true);
        /* An administrator can let a user run only bellhopctl as root, for example with sudo(8).
         * The command "!" of less(1) must not give this user a root shell. */
        (void)setenv("LESSSECURE", "1", true);
        pager = popen(command, "we");
        if (!pager)
                return NULL;
        /* If the user quits the pager before the end, SIGPIPE must not kill bellhopctl. */
        (void)signal(SIGPIPE, SIG_IGN);
        (void)dup2(fileno(pager), STDOUT_FILENO);
        return pager;
}

static unsigned output_columns(void)
{
        struct winsize size;

        return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void output_start(const Ctl *ctl, Output *ret)
{
        *ret = (Output){
                .json = ctl->json,
                .legend = !ctl->no_legend,
                .color = !ctl->json && output_color_is_wanted(),
                .columns = output_columns(),
        };
        if (isatty(STDOUT_FILENO) && !ctl->no_pager)
                ret->pager = output_start_pager();
}

CtlStatus output_done(Output *output, CtlStatus status)
{
        const bool failed = fflush(stdout) != 0 || ferror(stdout);
        const int error = errno;

        if (output->pager) {
                /* Standard output also leads to the pager. If it stayed open, the pager would wait
                 * for more input, and pclose() would wait for the pager. */
                (void)close(STDOUT_FILENO);
                (void)pclose(output->pager);
        } else if (failed) {
                output_error("The output is incomplete: %s", strerror(error));
                return CTL_FAILED;
        }
        return status;
}

/* Returns the escape sequence that starts a colour, or "" if the output has no colours. */
static const char *output_color(const Output *output, OutputColor color)
{
        static const char *const sequences[] = {
                [COLOR_NONE] = "",
                [COLOR_GOOD] = "\033[0;32m",
                [COLOR_WARNING] = "\033[1;33m",
                [COLOR_ERROR] = "\033[1;31m",
                [COLOR_STRONG] = "\033[1m",
                [COLOR_FAINT] = "\033[2m",
        };

        return output->color ? sequences[color] : "";
}

__attribute__((format(printf, 1, 0))) static void output_print_args(const char *format,
                                                                    va_list args)
{
        _cleanup_free_ char *text = text_format_args(format, args);

        text_make_harmless(text, '\n');
        if (!text)
                output_error("Memory ran out.");
        else
                (void)fputs(text, stdout);
}

void output_print(const char *format, ...)
{
        va_list args;

        va_start(args, format);
        output_print_args(format, args);
        va_end(args);
}

void output_paint(const Output *output, OutputColor color, const char *format, ...)
{
        va_list args;

        (void)fputs(output_color(output, color), stdout);
        va_start(args, format);
        output_print_args(format, args);
        va_end(args);
        if (output->color)
                (void)fputs("\033[0m", stdout);
}

/* --- paragraphs --- */

#define PARAGRAPH_INDENT 10
#define PARAGRAPH_LEAST  40 /* columns; a narrower terminal gets unbroken lines */

/* Returns the number of columns that a text in UTF-8 needs. The text has no control characters. */
static unsigned output_width(const char *text, size_t length)
{
        unsigned width = 0;

        for (size_t i = 0; i < length; i++)
                width += ((unsigned char)text[i] & 0xC0) != 0x80;
        return width;
}

/* Returns the length of the text up to the next space. In a command, a space within quotes does not
 * count. */
static size_t output_word(const char *text, bool is_command)
{
        char quote = 0;
        size_t i;

        for (i = 0; text[i] && (text[i] != ' ' || quote); i++)
                if (is_command && text[i] == quote)
                        quote = 0;
                else if (is_command && !quote && (text[i] == '\'' || text[i] == '"'))
                        quote = text[i];
        return i;
}

void output_paragraph(const Output *output, OutputColor color, const char *head, const char *text,
                      bool is_command)
{
        const unsigned room = is_command ? strlen(" \\") : 0;
        unsigned at = output_width(head, strlen(head));
        bool is_first = true;

        output_paint(output, color, "%s", head);
        while (*text) {
                const size_t length = output_word(text, is_command);
                const unsigned width = output_width(text, length);

                if (!is_first && output->columns >= PARAGRAPH_LEAST &&
                    at + 1 + width + room > output->columns) {
                        output_print("%s\n%*s", room ? " \\" : "", PARAGRAPH_INDENT, "");
                        at = PARAGRAPH_INDENT;
                } else if (!is_first) {
                        output_print(" ");
                        at++;
                }
                output_print("%.*s", (int)length, text);
                at += width;
                text += length + (text[length] == ' ');
                is_first = false;
        }
        output_print("\n");
}

/* --- tables --- */

static int output_add_column(const Output *output, struct libscols_table *table,
                             const Column *definition)
{
        const bool array = definition->json_type == SCOLS_JSON_ARRAY_STRING;
        struct libscols_column *column =
                scols_table_new_column(table, output->json ? definition->key : definition->heading,
                                       0, definition->flags | (array ? SCOLS_FL_WRAP : 0));
        int r = column ? scols_column_set_json_type(column, definition->json_type) : -ENOMEM;

        /* Each line in a cell of this column becomes an element of a JSON array. */
        if (r == 0 && array)
                r = scols_column_set_safechars(column, "\n");
        if (r == 0 && array)
                r = scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
                                              scols_wrapnl_nextchunk, NULL);
        return r;
}

Table table_new(const Output *output, const char *name, const Column columns[], size_t n)
{
        Table table = { .output = output, .table = scols_new_table() };

        table.failed = !table.table;
        for (size_t i = 0; !table.failed && i < n; i++)
                table.failed = output_add_column(output, table.table, &columns[i]) < 0;
        table.failed = table.failed || scols_table_set_name(table.table, name) < 0 ||
                       scols_table_enable_json(table.table, output->json) < 0 ||
                       scols_table_enable_noheadings(table.table, !output->legend) < 0 ||
                       scols_table_enable_colors(table.table, output->color) < 0;
        return table;
}

void table_add(Table *table)
{
        table->line = table->failed ? NULL : scols_table_new_line(table->table, NULL);
        table->failed = !table->line;
}

void table_set(Table *table, size_t column, const char *text)
{
        struct libscols_column *place;
        char *copy;

        if (table->failed || !text)
                return;
        place = scols_table_get_column(table->table, column);
        copy = strdup(text);
        /* Keeps line breaks in the cell of an array, because they separate the elements. */
        text_make_harmless(copy, scols_column_is_wrap(place) ? '\n' : 0);
        table->failed = !copy || scols_line_refer_data(table->line, column, copy) < 0;
}

void table_setf(Table *table, size_t column, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        table_set(table, column, text);
        table->failed = table->failed || !text;
}

void table_set_list(Table *table, size_t column, char *const texts[], size_t n)
{
        _cleanup_free_ char *joined = texts_join(texts, n, table->output->json ? "\n" : " ");

        table_set(table, column, joined);
        table->failed = table->failed || (n > 0 && !joined);
}

/* In JSON, libsmartcols prints true for any text that does not begin with '0' or 'n'. */
void table_set_bool(Table *table, size_t column, bool value)
{
        table_set(table, column, value ? "1" : "0");
}

void table_set_color(Table *table, size_t column, OutputColor color)
{
        const char *sequence = output_color(table->output, color);

        if (!table->failed && *sequence)
                table->failed = scols_cell_set_color(scols_line_get_cell(table->line, column),
                                                     sequence) < 0;
}

void table_set_number(Table *table, size_t column, uint64_t n,
                      const char *(*show)(uint64_t n, char *text))
{
        char text[64];

        if (!table->output->json)
                table_set(table, column, show(n, text));
        else if (n != UNKNOWN)
                table_setf(table, column, "%" PRIu64, n);
}

/* Prints the JSON text. Corrects empty arrays, which libsmartcols writes as arrays with one null.
 * Strings in the text contain no line breaks, so no string can look like such an array. */
static void output_print_json(char *text)
{
        for (char *at = text; (at = strstr(at, "[\n")); at++) {
                const char *value = at + 1 + strspn(at + 1, "\n "), *end = value + strlen("null");

                if (strncmp(value, "null", strlen("null")) != 0)
                        continue;
                end += strspn(end, "\n ");
                if (*end == ']')
                        memmove(at + 1, end, strlen(end) + 1);
        }
        (void)fputs(text, stdout);
}

/* Returns the number of bytes to print: all bytes if they fit into the columns, or else as many as
 * fit before "...". */
static size_t output_cut(const char *text, size_t length, unsigned columns)
{
        unsigned width = 0;
        size_t cut = 0;

        for (size_t i = 0; i < length; i++) {
                if (text[i] == '\033')
                        i += strcspn(text + i, "m");
                else if (((unsigned char)text[i] & 0xC0) != 0x80)
                        width++;
                if (width + strlen("...") <= columns)
                        cut = i + 1;
        }
        return width > columns ? cut : length;
}

static void output_print_lines(const Output *output, const char *text)
{
        while (*text) {
                const size_t length = strcspn(text, "\n");
                const size_t shown =
                        output->columns > 0 ? output_cut(text, length, output->columns) : length;

                printf("%.*s%s%s\n", (int)shown, text,
                       shown < length && output->color ? "\033[0m" : "",
                       shown < length ? "..." : "");
                text += length + (text[length] == '\n');
        }
}

int table_print(Table *table)
{
        _cleanup_free_ char *text = NULL;

        if (!table->failed)
                table->failed = scols_print_table_to_string(table->table, &text) < 0;
        if (!table->failed && table->output->json)
                output_print_json(text);
        else if (!table->failed)
                output_print_lines(table->output, text);
        scols_unref_table(table->table);
        return table->failed ? -ENOMEM : 0;
}

void output_progress(const char *what, size_t done, size_t all)
{
        /* Work with fewer steps ends before anyone could read the progress. */
        if (all < 100 || !isatty(STDERR_FILENO))
                return;
        if (what && done % 16 == 0)
                fprintf(stderr, "\r%s %zu of %zu ...", what, done, all);
        else if (!what)
                fputs("\r\033[K", stderr);
}

void output_error(const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        text_make_harmless(text, 0);
        fprintf(stderr, "bellhopctl: %s\n", text ? text : "Memory ran out.");
}

CtlStatus output_no_memory(void)
{
        output_error("Memory ran out.");
        return CTL_FAILED;
}

CtlStatus output_bad_configuration(const Ctl *ctl, int error)
{
        output_error("The configuration in %s can't be read: %s.", ctl->config_dir,
                     strerror(-error));
        return CTL_FAILED;
}
