/* SPDX-License-Identifier: MIT */
/*
 * Runs a command, and keeps systemd from starting an instance while the command runs. A start that
 * is requested meanwhile waits until the command ends, and no connection is lost.
 */
#pragma once

#include <stdbool.h>

#include "ctl/change/change.h"

/* If the instance is just starting, waits until the start is over. Then runs the command, an array
 * of words that ends with NULL. The command continues even if bellhopctl is killed. False: the
 * command failed, and its output was printed. */
bool hold_run(const char *instance, const char *const command[]);

/* If an earlier bellhopctl was killed in hold_run(), waits until the command that it started
 * has ended. False: systemd does not answer, and an error was printed. */
bool hold_wait(sd_bus *bus, const char *instance);
