/* SPDX-License-Identifier: MIT */
/* Changes the value of one setting in a file that people also edit, and keeps all other text. Pure,
 * but allocates memory. */
#pragma once

#include "util/span.h"

/*
 * Returns a copy of the text, to be freed, in which the key has the value; NULL: no memory. Puts
 * the value into the first line that has the key or, if there is no such line, into a new last
 * line. Drops all other lines that have the key. If value is NULL, drops all lines that have the
 * key. Keeps the comments of dropped lines.
 */
char *edit_setting(Span text, const char *key, const char *value);
