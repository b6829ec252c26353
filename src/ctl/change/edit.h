/* SPDX-License-Identifier: MIT */
/* Changes the value of one setting in a file that people also edit, and keeps all other text. Pure,
 * but allocates memory. */
#pragma once

#include "util/span.h"

/*
 * Returns the text with that value of the key, in the first line that has the key or in a new last
 * line. Drops all other lines that have the key. If value is NULL, drops all lines that have the
 * key. Keeps the comments of dropped lines. The string is to be freed. NULL: no memory.
 */
char *edit_setting(Span text, const char *key, const char *value);
