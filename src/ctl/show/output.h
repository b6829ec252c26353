/* SPDX-License-Identifier: MIT */
/*
 * Prints output for people and programs: tables and JSON with libsmartcols. Uses colours and a
 * pager only on a terminal. Output goes to standard output, errors to standard error.
 */
#pragma once

#include <libsmartcols/libsmartcols.h>
#include <stdint.h>
#include <stdio.h>

#include "ctl/ctl.h"

typedef struct Output {
        bool json;
        bool legend;
        bool color;       /* standard output is a terminal, and the user allows colours */
        unsigned columns; /* of the terminal; 0: lines may have any length */
        FILE *pager;      /* NULL: none */
} Output;

/* Starts the pager, if one is wanted. Call output_start() only once in a process, and output_done()
 * at the end. */
void output_start(const Ctl *ctl, Output *ret);

/* Waits until the user has quit the pager. Returns CTL_FAILED if the output is incomplete, or else
 * the given status. */
CtlStatus output_done(Output *output, CtlStatus status);

typedef enum OutputColor {
        COLOR_NONE,
        COLOR_GOOD,
        COLOR_WARNING,
        COLOR_ERROR,
        COLOR_STRONG,
        COLOR_FAINT,
} OutputColor;

/* These functions write text to standard output, and add no line end. Text that bellhopctl shows
 * may come from a customer. So these functions, table_set() and output_error() pass all text
 * through text_make_harmless(). */
void output_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_paint(const Output *output, OutputColor color, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Prints head and text, and breaks the text between words to fit the terminal. All lines after the
 * first are indented. If the text is a command, each line but the last ends with a backslash, and
 * no line is broken within quotes, so the command can still be copied. */
void output_paragraph(const Output *output, OutputColor color, const char *head, const char *text,
                      bool is_command);

typedef struct Column {
        const char *heading;
        const char *key; /* in JSON */
        int flags;       /* SCOLS_FL_... */
        int json_type;   /* SCOLS_JSON_...; each line in a cell of an array is an element */
} Column;

/* A table of lines and cells. If memory runs out, the table remembers this, so only the result of
 * table_print() has to be checked. */
typedef struct Table {
        const Output *output;
        struct libscols_table *table;
        struct libscols_line *line; /* the last line, whose cells table_set() sets */
        bool failed;
} Table;

/* Begins a table. name: in JSON, the key of the array that contains the lines. Always call
 * table_print() at the end, because it frees the table. */
Table table_new(const Output *output, const char *name, const Column columns[], size_t n);
void table_add(Table *table); /* adds a line with empty cells, which are null in JSON */

/* These functions set a cell of the last line. If text is NULL, the cell stays empty. */
void table_set(Table *table, size_t column, const char *text);
void table_setf(Table *table, size_t column, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Sets a cell to several texts. In JSON, the cell is an array. For people, spaces separate the
 * texts. */
void table_set_list(Table *table, size_t column, char *const texts[], size_t n);
void table_set_bool(Table *table, size_t column, bool value);
void table_set_color(Table *table, size_t column, OutputColor color);

/* Sets a cell to a number. For people, show() formats the number. In JSON, UNKNOWN is null. */
void table_set_number(Table *table, size_t column, uint64_t n,
                      const char *(*show)(uint64_t n, char *text));

/* Prints the table and frees it. Returns 0, or -ENOMEM if nothing was printed. */
int table_print(Table *table);

/* Shows the progress of long work if standard error is a terminal. If the parameter "what" is NULL,
 * erases the progress. */
void output_progress(const char *what, size_t done, size_t all);

/* Prints one line to standard error: "bellhopctl: " and the text. The text says what is wrong, and
 * what the user can do. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* These functions print an error about a lack of memory, or about a configuration that can't be
 * read. They return CTL_FAILED. */
CtlStatus output_no_memory(void);
CtlStatus output_bad_configuration(const Ctl *ctl, int error);
