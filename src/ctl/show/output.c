/* SPDX-License-Identifier: MIT */
/*
 * Owns standard output while a verb runs: whether there are colours, and who shows it.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <sys/wait.h>

#include "ctl/show/output.h"
#include "util/cleanup.h"

/* As systemd's tools have it: quit if it fits the screen, keep colours, show all at the end, ... */
#define LESS_OPTIONS "FRSXMK"

static bool color_is_wanted(void)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && !(no_color && no_color[0]) && term &&
               strcmp(term, "dumb") != 0;
}

/* NULL: none is wanted. */
static const char *pager_command(void)
{
        const char *command = getenv("SYSTEMD_PAGER");

        if (!command)
                command = getenv("PAGER");
        if (!command)
                command = "less";
        return command[0] == 0 || strcmp(command, "cat") == 0 ? NULL : command;
}

_Noreturn static void run_pager(const char *command, int input, int other_end)
{
        const char *less = getenv("SYSTEMD_LESS");

        if (dup2(input, STDIN_FILENO) < 0)
                _exit(EXIT_FAILURE);
        (void)close(input);
        (void)close(other_end);
        (void)setenv("LESS", less ? less : LESS_OPTIONS, true);
        /* Who may only look as root shall not get a root shell by "!". */
        (void)setenv("LESSSECURE", "1", true);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(EXIT_FAILURE);
}

/* Whether its first word can be run; without less, what is printed must not vanish. */
static bool can_run(const char *command)
{
        char test[256];
        const int length = snprintf(test, sizeof(test), "command -v %.*s >/dev/null 2>&1",
                                    (int)strcspn(command, " \t"), command);
        const int status = length > 0 && (size_t)length < sizeof(test) ? system(test) : -1;

        return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static pid_t start_pager(const char *command)
{
        int ends[2];
        pid_t pid;

        if (!command || !can_run(command) || pipe2(ends, O_CLOEXEC) < 0)
                return 0;
        pid = fork();
        if (pid == 0)
                run_pager(command, ends[0], ends[1]);
        if (pid > 0 && dup2(ends[1], STDOUT_FILENO) < 0)
                pid = 0;
        (void)close(ends[0]);
        (void)close(ends[1]);
        return pid > 0 ? pid : 0;
}

void output_start(const Ctl *ctl, Output *ret)
{
        *ret = (Output){
                .json = ctl->json,
                .legend = !ctl->no_legend,
                .color = !ctl->json && color_is_wanted(),
        };
        if (isatty(STDOUT_FILENO) && !ctl->no_pager)
                ret->pager = start_pager(pager_command());
}

CtlStatus output_done(Output *output, CtlStatus status)
{
        const bool failed = fflush(stdout) != 0 || ferror(stdout);
        const int error = errno;

        if (output->pager > 0) {
                /* It goes on until it sees the end. */
                (void)close(STDOUT_FILENO);
                while (waitpid(output->pager, NULL, 0) < 0 && errno == EINTR)
                        ;
                output->pager = 0;
        } else if (failed) {
                output_error("Not all could be written: %s", strerror(error));
                return CTL_FAILED;
        }
        return status;
}

const char *output_color(const Output *output, OutputColor color)
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

const char *output_color_end(const Output *output)
{
        return output->color ? "\033[0m" : "";
}

/* The lines of a cell are the members of an array. */
static int add_column(const Output *output, Table *table, const Column *definition)
{
        const bool array = definition->json_type == SCOLS_JSON_ARRAY_STRING;
        struct libscols_column *column =
                scols_table_new_column(table, output->json ? definition->key : definition->heading,
                                       0, definition->flags | (array ? SCOLS_FL_WRAP : 0));

        if (!column || scols_column_set_json_type(column, definition->json_type) < 0)
                return -ENOMEM;
        if (!array)
                return 0;
        return scols_column_set_safechars(column, "\n") < 0 ||
                               scols_column_set_wrapfunc(column, scols_wrapnl_chunksize,
                                                         scols_wrapnl_nextchunk, NULL) < 0
                       ? -ENOMEM
                       : 0;
}

Table *table_new(const Output *output, const char *name, const Column columns[], size_t n)
{
        Table *table = scols_new_table();

        if (!table)
                return NULL;
        for (size_t i = 0; i < n; i++)
                if (add_column(output, table, &columns[i]) < 0)
                        return table_free(table);
        if (scols_table_set_name(table, name) < 0 ||
            scols_table_enable_json(table, output->json) < 0 ||
            scols_table_enable_noheadings(table, !output->legend) < 0 ||
            scols_table_enable_colors(table, output->color) < 0)
                return table_free(table);
        return table;
}

Table *table_free(Table *table)
{
        if (table)
                scols_unref_table(table);
        return NULL;
}

TableLine *table_add(Table *table, TableLine *parent)
{
        return scols_table_new_line(table, parent);
}

int table_set(TableLine *line, size_t column, const char *text)
{
        return scols_line_set_data(line, column, text) < 0 ? -ENOMEM : 0;
}

/* As libsmartcols has it for JSON: what does not begin with '0' or 'n' is true. */
int table_set_bool(TableLine *line, size_t column, bool value)
{
        return table_set(line, column, value ? "1" : "0");
}

int table_set_color(const Output *output, TableLine *line, size_t column, OutputColor color)
{
        struct libscols_cell *cell = scols_line_get_cell(line, column);

        if (!output->color || color == COLOR_NONE)
                return 0;
        return !cell || scols_cell_set_color(cell, output_color(output, color)) < 0 ? -ENOMEM : 0;
}

int table_setf(TableLine *line, size_t column, const char *format, ...)
{
        char *text;
        va_list args;
        int r;

        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        if (r < 0)
                return -ENOMEM;
        if (scols_line_refer_data(line, column, text) < 0) {
                free(text);
                return -ENOMEM;
        }
        return 0;
}

/* libsmartcols writes an array without members as one of null. Within a string there is no line
 * break, so it is found by its form. */
static void print_json(const char *text)
{
        static const char null[] = "null";

        for (const char *at = text; *at;) {
                const char *open = strchrnul(at, '['), *value;

                (void)fwrite(at, 1, (size_t)(open - at), stdout);
                if (*open == 0)
                        return;
                (void)putchar('[');
                at = open + 1;
                value = at + strspn(at, "\n ");
                if (*at != '\n' || strncmp(value, null, strlen(null)) != 0)
                        continue;
                value += strlen(null);
                value += strspn(value, "\n ");
                if (*value == ']')
                        at = value;
        }
}

int table_print(Table *table)
{
        char *text;

        if (!scols_table_is_json(table))
                return scols_print_table(table) < 0 ? -ENOMEM : 0;
        if (scols_print_table_to_string(table, &text) < 0)
                return -ENOMEM;
        print_json(text);
        free(text);
        return 0;
}

void output_progress(const char *what, size_t done, size_t all)
{
        /* Less than that is done before anybody could read it. */
        if (all < 100 || !isatty(STDERR_FILENO))
                return;
        if (what && done % 16 == 0)
                fprintf(stderr, "\r%s %zu of %zu ...", what, done, all);
        else if (!what)
                fputs("\r\033[K", stderr);
}

void output_error(const char *format, ...)
{
        va_list args;

        fputs("bellhopctl: ", stderr);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
}

CtlStatus output_no_memory(void)
{
        output_error("There is no memory left.");
        return CTL_FAILED;
}
