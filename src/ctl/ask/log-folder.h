/* SPDX-License-Identifier: MIT */
/* Checks the folder of a customer's log files. bellhop-log-folders makes this folder: see
 * bellhop-log(8). */
#pragma once

#include <stdbool.h>

#define LOG_DIR "/var/log/bellhop"

/* Whether the folder exists, only the user bellhop-log can write to it, and the log lines of the
 * customer with that name go to this folder. */
bool log_folder_is_made(const char *name);
