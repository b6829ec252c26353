/* SPDX-License-Identifier: MIT */
/*
 * What people and programs get to see: tables and JSON by libsmartcols, colours and a pager on a
 * terminal only. All goes to standard output, errors to standard error.
 */
#pragma once

#include <libsmartcols/libsmartcols.h>
#include <sys/types.h>

#include "ctl/ctl.h"

typedef struct Output {
        bool json;
        bool legend;
        bool color;  /* a terminal, and the user has nothing against it */
        pid_t pager; /* 0: none */
} Output;

/* Starts the pager where there is one; to be ended by output_done(). Once in a process. */
void output_start(const Ctl *ctl, Output *ret);

/* Returns when the reader has seen all: CTL_FAILED when not all could be written, else status. */
CtlStatus output_done(Output *output, CtlStatus status);

typedef enum OutputColor {
        COLOR_NONE,
        COLOR_GOOD,
        COLOR_WARNING,
        COLOR_ERROR,
        COLOR_STRONG,
        COLOR_FAINT,
} OutputColor;

/* The sequence that begins a colour and the one that ends each; "" where there are no colours. */
const char *output_color(const Output *output, OutputColor color);
const char *output_color_end(const Output *output);

typedef struct Column {
        const char *heading;
        const char *key; /* in JSON */
        int flags;       /* SCOLS_FL_... */
        int json_type;   /* SCOLS_JSON_...; a cell of an array has a line for each member */
} Column;

typedef struct libscols_table Table;
typedef struct libscols_line TableLine;

/* name: what the lines are, the key of their array in JSON. NULL: no memory. */
Table *table_new(const Output *output, const char *name, const Column columns[], size_t n);
Table *table_free(Table *table);

/* A line below all others; parent: NULL but in a tree. NULL: no memory. */
TableLine *table_add(Table *table, TableLine *parent);

/* NULL is an empty cell, null in JSON. They all return 0 or -ENOMEM. */
int table_set(TableLine *line, size_t column, const char *text);
int table_set_bool(TableLine *line, size_t column, bool value);
int table_set_color(const Output *output, TableLine *line, size_t column, OutputColor color);
int table_setf(TableLine *line, size_t column, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

int table_print(Table *table);

/* On a terminal, tells how far long work has got, on standard error; what NULL: wipes that out. */
void output_progress(const char *what, size_t done, size_t all);

/* One line to standard error: "bellhopctl: " and the text, which says what to do next. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
CtlStatus output_no_memory(void);
