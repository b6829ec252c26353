/* SPDX-License-Identifier: MIT */
/* One setting of a file that people write, too: all that is not its value stays as it is. Pure but
 * for memory. */
#pragma once

#include "util/span.h"

/*
 * The text of a file in which a key has that value: in the first line that has the key, or, if none
 * has it, in a last line. All other lines with the key go, but for their comments; with NULL as the
 * value, all of them. Returns a string to be freed, or NULL without memory.
 */
char *edit_setting(Span text, const char *key, const char *value);
