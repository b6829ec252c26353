/* SPDX-License-Identifier: MIT */
/*
 * Runs a trusted program that does what a customer's files say, such as a server with the
 * customer's configuration. The program runs as the customer. As far as the kernel allows, it is
 * isolated from our process, which runs as root. Does not log.
 */
#pragma once

#include <stdbool.h>

#include "ctl/ask/access.h"

#define CONFIGTEST_SECONDS 15            /* as in TimeoutStartSec= of bellhop@.service */
#define CONFIGTEST_FOLDER  "/dev/shm"    /* private to the test and empty; the customer owns it */
#define CONFIGTEST_OUTPUT  (64 * 1024UL) /* only the end of longer output is kept */

typedef enum ConfigTestResult {
        CONFIGTEST_PASSED, /* exit status 0 */
        CONFIGTEST_FAILED,
        CONFIGTEST_ENDLESS, /* the program did not end in CONFIGTEST_SECONDS, and was killed */
        CONFIGTEST_KILLED,  /* another program killed it, perhaps one of the customer */
} ConfigTestResult;

typedef struct ConfigTest {
        const Identity *who;
        bool network;      /* true: the program has the machine's network; false: it has none */
        const char *input; /* the contents of standard input; NULL: standard input is /dev/null */
        size_t input_size;
        const char *const *argv;  /* ends with NULL; argv[0] is a path */
        char *const *environment; /* all variables; ends with NULL */
} ConfigTest;

/* Returns a ConfigTestResult, and sets *ret_said to the program's output, which the caller frees.
 * Returns a negative errno if the program could not be run. No process of the program remains. */
int configtest_run(const ConfigTest *configtest, char **ret_said);
