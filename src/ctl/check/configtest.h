/* SPDX-License-Identifier: MIT */
/*
 * Runs a program of root's that obeys a customer, such as a server that reads their configuration:
 * as that customer, and as far from root as the kernel allows. Does not log.
 */
#pragma once

#include <stdbool.h>

#include "ctl/ask/access.h"

#define CONFIGTEST_SECONDS 15            /* as in TimeoutStartSec= of bellhop@.service */
#define CONFIGTEST_FOLDER  "/dev/shm"    /* private to the test, empty and the customer's */
#define CONFIGTEST_OUTPUT  (64 * 1024UL) /* of more, its end is kept */

typedef enum ConfigTestResult {
        CONFIGTEST_PASSED, /* exit status 0 */
        CONFIGTEST_FAILED,
        CONFIGTEST_ENDLESS, /* it was killed after CONFIGTEST_SECONDS */
        CONFIGTEST_KILLED,  /* by another program, such as one of the customer's */
} ConfigTestResult;

typedef struct ConfigTest {
        const Identity *who;
        bool network;      /* the machine's; else it has none */
        const char *input; /* its standard input, a file; NULL: /dev/null */
        size_t input_size;
        const char *const *argv;  /* ends with NULL; argv[0] is a path */
        char *const *environment; /* ends with NULL; the whole of it */
} ConfigTest;

/* Returns a ConfigTestResult, with what the program has said in *ret_said, to be freed; or a
 * negative errno if it could not be run. Nothing is left of the program and of all that it has
 * started. */
int configtest_run(const ConfigTest *configtest, char **ret_said);
