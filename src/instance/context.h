/* SPDX-License-Identifier: MIT */
/* What all parts of a supervisor share. The strings last as long as the process. */
#pragma once

#include <stdbool.h>

#include "config/config.h"

typedef struct Context {
        const char *instance;
        const char *config_dir;
        const char *runtime_dir; /* writable for the instance */
        const char *state_dir;   /* NULL: none */
        const char *mpm;         /* of Apache: event, worker or prefork */
        const char *logs;        /* files or journal */
        const char *php_program; /* NULL: the newest that is installed */
        ServerType server;       /* read by confine(), like the next field */
        bool is_suspended;       /* no program of the customer is started */
        bool serves;             /* false: it only tests the configuration */
        bool judges;             /* the server reports facts during a test, see verdict.h */
        int sockets_fd; /* the folder of sockets, until all are connected; negative: none */
        int lines_fd;   /* connected to bellhop-log; negative: bellhop-log does not listen */
        int handoff_fd; /* the hand-off socket */
        int bell_fd;    /* eventfd(2) that signals changes of the pages of all servers */
} Context;
