/* SPDX-License-Identifier: MIT */
/* The access log in the journal: `CustomLog journal: FORMAT`. */
#pragma once

#include <httpd.h>

#define JOURNAL_LOG_NAME "journal:"

/* Puts itself before mod_log_config's writer. Call it when all directives are read (BufferedLogs
 * sets the writer, too) and before logs are opened. instance must outlive all requests. */
void journal_init(const char *instance);

/* In a new child, which then can write. */
void journal_join(void);
