/* SPDX-License-Identifier: MIT */
/* Data that all parts of bellhop-instance share. The strings stay valid until the process ends. */
#pragma once

#include <stdbool.h>

#include "config/config.h"

typedef struct Context {
        const char *instance;
        const char *config_dir;
        const char *runtime_dir; /* writable for the instance */
        const char *state_dir;   /* NULL: none */
        const char *mpm;         /* of Apache: event, worker or prefork */
        const char *logs;        /* where log lines go: files or journal */
        const char *php_program; /* path of PHP-FPM; NULL: the newest installed version */
        ServerType server;       /* confine() sets this field and the next one */
        bool is_suspended;       /* no program of the customer is started */
        bool serves;             /* false: this process only tests the configuration */
        bool judges;             /* the server reports facts during a test, see verdict.h */
        int sockets_fd; /* folder with the sockets of systemd, bellhop-usage and bellhop-log;
                           negative: none */
        int lines_fd;   /* connected to bellhop-log; negative: bellhop-log does not listen */
        int handoff_fd; /* the hand-off socket */
        int bell_fd;    /* an eventfd(2), to which servers write when their counts change: see
                           page.h */
} Context;
