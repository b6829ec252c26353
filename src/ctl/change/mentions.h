/* SPDX-License-Identifier: MIT */
/* Finds lines of root's files that contain the name of a customer. A rename does not change these
 * lines. */
#pragma once

#include <stddef.h>

#include "util/span.h"

/* Whether the line contains the name as the name of a user, in a path or in the name of a unit.
 * Comments do not count. A name that is only part of a host or of a longer name does not count
 * either. Pure. */
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
 * directly in it, except files whose name begins with except. Follows no link. Returns 0, also if
 * the path does not exist, or a negative errno. */
int mentions_add(Mentions *mentions, const char *path, const char *name, const char *except);
void mentions_done(Mentions *mentions);
