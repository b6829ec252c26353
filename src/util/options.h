/* SPDX-License-Identifier: MIT */
/* Parses the options of our services. All services also have --help and --version. */
#pragma once

#define OPTIONS_MAX 8

#define EXIT_USAGE 2

typedef struct ProgramOption {
        const char *name; /* without "--"; NULL: the end of the table */
        int has_argument; /* as in getopt_long(3) */
        const char **ret; /* gets the argument, or "" */
} ProgramOption;

/* Returns 0 to continue: n_words words begin at argv[optind]. Returns 1 if the help or the version
 * was shown. Returns a negative number after an error in the options or words, which it has already
 * reported. */
int options_parse(int argc, char *argv[], int n_words, const ProgramOption *options,
                  const char *help);
