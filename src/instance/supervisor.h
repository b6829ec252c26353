/* SPDX-License-Identifier: MIT */
/* Runs an instance: starts, reloads and stops its servers and PHP, reports its state, and ends the
 * instance when it is idle. */
#pragma once

#include "instance/context.h"

/* Sets up the fence (confine.h), and runs the instance. Returns after the instance has become idle
 * or was stopped, or after its server has ended. The caller has blocked SIGCHLD, SIGTERM, SIGINT
 * and SIGHUP, and keeps the hand-off socket. Logs errors. Returns the waitpid(2) status with which
 * the process must end, or a negative errno. */
int supervisor_run(Context *context);
