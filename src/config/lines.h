/* SPDX-License-Identifier: MIT */
/* Parses the syntax of all configuration files: lines "Key=Value" in sections "[Name]". '#' and ';'
 * start a comment at the start of a line, '#' also after a blank. There are no continued lines and
 * no quotes. Pure. */
#pragma once

#include "util/span.h"

typedef enum LineKind {
        LINE_END,
        LINE_SECTION,    /* key: its name */
        LINE_ASSIGNMENT, /* key and value, both trimmed; the value may be empty */
        LINE_INVALID,
} LineKind;

typedef struct Line {
        LineKind kind;
        Span key;
        Span value;
        const char *error; /* the error and advice, in a line of any kind; NULL: none */
} Line;

typedef struct LineReader {
        Span rest;
        unsigned number;  /* of the last line, from 1 */
        bool has_returns; /* lines end in CR LF, which is reported once */
} LineReader;

/* The next line that is neither empty nor a comment. */
Line lines_next(LineReader *reader);

/* The next word of a list separated by blanks. False at its end. */
bool words_next(Span *list, Span *ret_word);
