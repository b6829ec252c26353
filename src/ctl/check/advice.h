/* SPDX-License-Identifier: MIT */
/*
 * Which command mends a mistake in a file of the configuration. Pure but for memory. Where what was
 * meant can't be known, the line or the file is put out of the way, which is at least no mistake.
 */
#pragma once

#include "config/config.h"

/*
 * problem: one that has a line; line: its text; rest_counts: the file has other lines that lead to
 * the instance. NULL: no memory, or the file has a name that no command should have.
 */
char *cure_line(const Problem *problem, const char *line, bool rest_counts);

/* Of a file as a whole. NULL as above. */
char *cure_file(const char *file);
