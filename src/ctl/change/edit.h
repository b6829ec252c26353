/* SPDX-License-Identifier: MIT */
/* Changes one setting of a file that people also edit: everything except its value is kept. Pure
 * except for memory. */
#pragma once

#include "util/span.h"

/*
 * Returns the text with that value of a key, in the first line with the key or in a new last line.
 * Drops all other lines with the key, or with a NULL value all of them, but keeps their comments.
 * The string is to be freed; NULL without memory.
 */
char *edit_setting(Span text, const char *key, const char *value);
