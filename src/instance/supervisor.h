/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of an instance: its servers from start to end, its PHP, idle exit, reload and
 * stop, and what systemd and bellhopctl hear of it. One thread, one event loop.
 */
#pragma once

#include <stdint.h>

typedef struct SupervisorSettings {
        const char *instance;
        const char *config_dir;
        const char *runtime_dir;
        const char *state_dir;   /* NULL: none */
        const char *mpm;         /* of Apache */
        const char *php_program; /* NULL: the newest */
} SupervisorSettings;

/*
 * Raises the fence, starts the server and works until it is idle, told to stop or its server is
 * gone. handoff_fd: the hand-off socket, which stays the caller's. SIGCHLD, SIGTERM, SIGINT and
 * SIGHUP are blocked. Returns 0 and the waitpid(2) status to end with, or a negative errno; logs.
 */
int supervisor_run(const SupervisorSettings *settings, int handoff_fd, int *ret_status);
