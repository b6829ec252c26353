/* SPDX-License-Identifier: MIT */
/* Servers of an instance from start to end, its PHP, idle exit, reload, stop and reports. */
#pragma once

#include "instance/context.h"

/* Sets up the fence, starts the server, and works until it is idle, must stop, or its server has
 * ended. SIGCHLD, SIGTERM, SIGINT and SIGHUP are blocked. The caller keeps the hand-off socket.
 * Logs errors. Returns the waitpid(2) status with which the process must end, or a negative errno.
 */
int supervisor_run(Context *context);
