/* SPDX-License-Identifier: MIT */
/* Finds lines that name a customer in files of root. A rename does not change these lines. */
#pragma once

#include <stddef.h>

#include "util/span.h"

/* Whether a line that is not a comment has the name as a user, in a path or in a unit. Parts of
 * hosts and of longer names do not count. Pure. */
bool mention_is_in(Span line, const char *name);

typedef struct Mention {
        char *file; /* path */
        unsigned line;
} Mention;

typedef struct Mentions {
        Mention *mentions;
        size_t n;
} Mentions;

/* Adds such lines of a file, or of all files directly in a folder, except files whose name begins
 * with except. Follows no link. Returns 0, also if the path does not exist, or a negative errno. */
int mentions_add(Mentions *mentions, const char *path, const char *name, const char *except);
void mentions_done(Mentions *mentions);
