/* SPDX-License-Identifier: MIT */
/* bellhop-instance's test of what an instance would start with. Does not log. */
#pragma once

#include <systemd/sd-bus.h>

#include "config/config.h"
#include "ctl/check/configtest.h"
#include "ctl/ctl.h"

typedef struct ServerTest {
        const Ctl *ctl;
        sd_bus *bus; /* NULL: there is no systemd to ask for the environment of the unit */
        const Identity *who;
        const Instance *instance;
        bool judges, tests_php;
        const char *input; /* as in ConfigTest */
        size_t input_size;
} ServerTest;

/* With the server that instance has, whatever its file says. Returns what configtest_run() does. */
int server_test_run(const ServerTest *test, char **ret_said);
