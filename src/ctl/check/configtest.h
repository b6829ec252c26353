/* SPDX-License-Identifier: MIT */
/*
 * Runs a trusted program that does what a customer's files say, such as a server with the
 * customer's configuration. The program runs as the customer, and is isolated from root as far as
 * the kernel allows. Does not log.
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
        CONFIGTEST_ENDLESS, /* it was killed after CONFIGTEST_SECONDS */
        CONFIGTEST_KILLED,  /* it was killed by another program, for example of the customer */
} ConfigTestResult;

typedef struct ConfigTest {
        const Identity *who;
        bool network;      /* true: the network of the machine; false: none */
        const char *input; /* its standard input, a file; NULL: /dev/null */
        size_t input_size;
        const char *const *argv;  /* ends with NULL; argv[0] is a path */
        char *const *environment; /* complete; ends with NULL */
} ConfigTest;

/* Returns a ConfigTestResult, with the program's output in *ret_said, to be freed; or a negative
 * errno if the program could not be run. No process of the program remains. */
int configtest_run(const ConfigTest *configtest, char **ret_said);
