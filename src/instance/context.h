/* SPDX-License-Identifier: MIT */
/* What all parts of a supervisor know. The strings live as long as the process. */
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
        ServerType server;       /* as confine() has read it, like the next */
        bool is_suspended;       /* nothing of the customer's is started */
        bool serves;             /* not a test */
        bool judges;             /* a test has the server judge, see verdict.h */
        int sockets_fd;          /* the folder of sockets, until it is used; negative: none */
        int lines_fd;            /* to bellhop-log; negative: nobody listens */
        int handoff_fd;          /* the hand-off socket */
        int bell_fd;             /* eventfd(2) that the pages of all servers ring */
} Context;
