/* SPDX-License-Identifier: MIT */
/* How an instance starts a program: descriptors, environment, signals and privileges in one place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CHILD_FDS_MAX 4

/* The program could not be executed; the reason is on standard error. As a shell has it. */
#define CHILD_EXIT_CANT_RUN 127

typedef struct Child {
        const char *const *argv; /* ends with NULL; argv[0] is a path */
        int fds[CHILD_FDS_MAX];  /* become 3, 4, ...; they stay the caller's */
        size_t n_fds;
        const char *fd_names;           /* "a:b", passed as by systemd: sd_listen_fds_with_names(3);
                                         * NULL: the program knows the numbers */
        const char *const *environment; /* "KEY=VALUE" beside our own, ends with NULL; or NULL */
        bool keeps_capability;          /* the ambient one: see bellhop@.service */
} Child;

/*
 * Starts it in a session of its own, with default signals, without our NOTIFY_SOCKET, LISTEN_* and
 * BELLHOP_* variables. Returns its pid or a negative errno.
 */
pid_t child_start(const Child *child);

/* The same in this process; returns only the negative errno of a failure. */
int child_become(const Child *child);
