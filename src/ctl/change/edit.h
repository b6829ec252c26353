/* SPDX-License-Identifier: MIT */
/* One setting of a file that people write, too: all that is not its value stays as it is. Pure but
 * for memory. */
#pragma once

#include "util/span.h"

/*
 * The text of a file in which a key has that value: in place of all values that it has now, or, if
 * it has none, as a last line. is_default: the value need not be written, so lines that hold
 * nothing else are left out. Returns a string to be freed, or NULL without memory.
 */
char *edit_setting(Span text, const char *key, const char *value, bool is_default);
