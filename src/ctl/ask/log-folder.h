/* SPDX-License-Identifier: MIT */
/* The folder of a customer's log files, which bellhop-log-folders makes: bellhop-log(8). */
#pragma once

#include <stdbool.h>

#define LOG_DIR "/var/log/bellhop"

/* Whether it is there, is bellhop-log's alone, and is where lines of that user go. */
bool log_folder_is_made(const char *name);
