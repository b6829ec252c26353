/* SPDX-License-Identifier: MIT */
/*
 * Runs a command while systemd does not start an instance. A start that arrives meanwhile waits,
 * and no connection is lost.
 */
#pragma once

#include <stdbool.h>

#include "ctl/change/change.h"

/* Waits until a start of the instance that has already begun is over, and then runs the command, an
 * array of words that ends with NULL. The command continues if we are killed. False: it failed, and
 * its output was printed. */
bool hold_run(const char *instance, const char *const command[]);

/* If an earlier bellhopctl was killed in hold_run(), waits until its command ends. False: systemd
 * does not answer, which was printed. */
bool hold_wait(sd_bus *bus, const char *instance);
