/* SPDX-License-Identifier: MIT */
/* Text on its way to terminals and shells, where some bytes do more than to be seen. */
#pragma once

#include <stdbool.h>

/* A command line, to be freed; NULL without memory. Words that are not ours go through
 * shell_quote(). */
char *command(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As one word of a shell, to be freed. NULL: no memory, or it has control characters. */
char *shell_quote(const char *text);

/* As sed's pattern or replacement between slashes, not yet quoted. Same result. */
char *sed_escape(const char *text);

/* Question marks for control characters. NULL is harmless. */
void text_make_harmless(char *text);
