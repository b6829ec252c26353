/* SPDX-License-Identifier: MIT */
/* Parses the syntax of all configuration files: lines "Key=Value" in sections "[Name]". A line that
 * starts with '#' or ';' is a comment. '#' after a blank also starts a comment. There are no
 * continued lines and no quotes. Pure. */
#pragma once

#include "util/span.h"

typedef enum LineKind {
        LINE_END,
        LINE_SECTION,    /* key: the name of the section */
        LINE_ASSIGNMENT, /* key and value, both trimmed; the value may be empty */
        LINE_INVALID,
} LineKind;

typedef struct Line {
        LineKind kind;
        Span key;
        Span value;
        const char *error; /* the error and advice; a line of any kind may have one; NULL: none */
} Line;

typedef struct LineReader {
        Span rest;
        unsigned number;  /* number of the line that was read last, from 1 */
        bool has_returns; /* lines end in CR LF, which is reported once */
} LineReader;

/* Reads the next line that is neither empty nor a comment. */
Line lines_next(LineReader *reader);

/* Takes the next word from a list that is separated by blanks. Returns false at the end of the
 * list. */
bool words_next(Span *list, Span *ret_word);
