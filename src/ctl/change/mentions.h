/* SPDX-License-Identifier: MIT */
/* Finds the lines in root's files that contain the name of a customer. A rename of the customer
 * does not change these lines. */
#pragma once

#include <stddef.h>

#include "util/span.h"

/* Whether the line contains the name as a separate word, for example in a path, or in the name of a
 * unit. The name does not count in a comment, or as a part of a host, a mail address or a longer
 * name. Pure. */
bool mention_is_in(Span line, const char *name);

typedef struct Mention {
        char *file; /* path */
        unsigned line;
} Mention;

typedef struct Mentions {
        Mention *mentions;
        size_t n;
} Mentions;

/* Adds the lines of the file at path that contain the name. If path is a folder, searches all files
 * directly in it, except files whose names begin with the text in 'except'. Follows no link.
 * Returns 0 or a negative errno. Also returns 0 if the path does not exist. */
int mentions_add(Mentions *mentions, const char *path, const char *name, const char *except);
void mentions_done(Mentions *mentions);
