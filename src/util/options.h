/* SPDX-License-Identifier: MIT */
/* Parses the options of bellhop's services. Every service also has --help and --version. */
#pragma once

#define OPTIONS_MAX 8

#define EXIT_USAGE 2

typedef struct ProgramOption {
        const char *name; /* without "--"; NULL: the end of the table */
        int has_argument; /* as in getopt_long(3) */
        const char **ret; /* gets the argument, or "" if the option has none */
} ProgramOption;

/* Parses options, and n_words arguments that are not options. Returns 0 if the program can
 * continue: these arguments begin at argv[optind]. Returns 1 if the help or the version was shown.
 * If there is a mistake in the arguments, reports the mistake and returns a negative errno. */
int options_parse(int argc, char *argv[], int n_words, const ProgramOption *options,
                  const char *help);
