/* SPDX-License-Identifier: MIT */
/*
 * The supervisor of an instance: its servers from start to end, its PHP, idle exit, reload and
 * stop, and what systemd and bellhopctl hear of it. One thread, one event loop.
 */
#pragma once

#include "instance/context.h"

/*
 * Raises the fence, starts the server and works until it is idle, told to stop or its server is
 * gone. SIGCHLD, SIGTERM, SIGINT and SIGHUP are blocked. The hand-off socket stays the caller's.
 * Returns the waitpid(2) status to end with, or a negative errno; logs.
 */
int supervisor_run(Context *context);
