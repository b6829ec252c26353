/* SPDX-License-Identifier: MIT */
/* Checks the folder of a customer's log files. bellhop-log-folders makes this folder: see
 * bellhop-log(8). */
#pragma once

#include <stdbool.h>

#define LOG_DIR "/var/log/bellhop"

/* Whether the folder exists, belongs only to bellhop-log, and receives the log lines of the user
 * with that name. */
bool log_folder_is_made(const char *name);
