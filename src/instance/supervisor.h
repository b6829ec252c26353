/* SPDX-License-Identifier: MIT */
/* Servers of an instance from start to end, its PHP, idle exit, reload, stop and reports. */
#pragma once

#include "instance/context.h"

/* Raises the fence, starts the server and works until it is idle, has to stop or its server is
 * gone. SIGCHLD, SIGTERM, SIGINT and SIGHUP are blocked. The hand-off socket stays the caller's.
 * Returns the waitpid(2) status to end with, or a negative errno; logs. */
int supervisor_run(Context *context);
