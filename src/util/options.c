/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "util/options.h"

/* getopt_long() returns this number plus i for options[i]. The number is larger than the codes of
 * all letters. */
#define FIRST_OPTION 256

int options_parse(int argc, char *argv[], int n_words, const ProgramOption *options,
                  const char *help)
{
        struct option all[OPTIONS_MAX + 3] = { { "help", no_argument, NULL, 'h' },
                                               { "version", no_argument, NULL, 'V' } };
        int c;

        for (int i = 0; options[i].name; i++) {
                assert(i < OPTIONS_MAX);
                all[i + 2] = (struct option){ options[i].name, options[i].has_argument, NULL,
                                              FIRST_OPTION + i };
        }
        while ((c = getopt_long(argc, argv, "h", all, NULL)) >= FIRST_OPTION)
                *options[c - FIRST_OPTION].ret = optarg ? optarg : "";
        if (c == 'h') {
                fputs(help, stdout);
                return 1;
        }
        if (c == 'V') {
                printf("%s %s\n", program_invocation_short_name, BELLHOP_VERSION);
                return 1;
        }
        if (c < 0 && argc - optind == n_words)
                return 0;
        if (c < 0 && argc - optind > n_words)
                fprintf(stderr, "'%s' is one argument too many. ", argv[optind + n_words]);
        else if (c < 0)
                fprintf(stderr, "An argument is missing. ");
        fprintf(stderr, "Try '%s --help'.\n", program_invocation_short_name);
        return -EINVAL;
}
