/* SPDX-License-Identifier: MIT */
/* Runs bellhop-instance to test the configuration that an instance would have at its next start.
 * Does not log. */
#pragma once

#include <systemd/sd-bus.h>

#include "config/config.h"
#include "ctl/check/configtest.h"
#include "ctl/ctl.h"

typedef struct ServerTest {
        const Ctl *ctl;
        sd_bus *bus; /* NULL: systemd can't be asked for the environment of the unit */
        const Identity *who;
        const Instance *instance;
        /* judges: whether Apache also reports facts about its configuration (instance/verdict.h).
         * tests_php: whether PHP-FPM is tested, too. */
        bool judges, tests_php;
        const char *input; /* as in ConfigTest */
        size_t input_size;
} ServerTest;

/* Tests with the server in ServerTest.instance, even if the instance's file names another server.
 * Returns the same as configtest_run(). */
int server_test_run(const ServerTest *test, char **ret_said);
