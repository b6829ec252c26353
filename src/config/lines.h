/* SPDX-License-Identifier: MIT */
/* Parses the syntax of all configuration files: lines "Key=Value" in sections "[Name]". A line that
 * starts with '#' or ';' is a comment. In any line, '#' after a blank starts a comment. Lines can't
 * be continued, and quotes have no meaning. Pure. */
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
        const char *error; /* an error and advice, possible for lines of any kind; NULL: none */
} Line;

typedef struct LineReader {
        Span rest;
        unsigned number;  /* number of the line that was read last, from 1 */
        bool has_returns; /* a line ended in CR LF, which was reported */
} LineReader;

/* Reads the next line that is neither empty nor a comment. */
Line lines_next(LineReader *reader);

/* Takes the next word from a list of words that are separated by blanks. Returns false at the end
 * of the list. */
bool words_next(Span *list, Span *ret_word);
