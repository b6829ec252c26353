/* SPDX-License-Identifier: MIT */
/* Writes access and error logs in Apache's place, if `ErrorLog NAME` or `CustomLog NAME FORMAT` has
 * the NAME "journal:" or "files:". Lines for "files:" go to bellhop-log(8), which writes the files.
 */
#pragma once

#include <httpd.h>

/* Replaces Apache's writers of access and error logs. Call this before logs are opened, but after
 * all directives are read, because BufferedLogs also sets the writer of access logs. instance must
 * outlive all requests. */
void logs_init(server_rec *server, const char *instance);

/* Sets the connection to bellhop-log. If lines_fd is negative, lines for "files:" go to the
 * journal. Call this in the parent. */
void logs_use(int lines_fd);

/* From now on, sends lines of the error log to the journal or to bellhop-log. Stops when the pool
 * is cleared. */
void logs_open(apr_pool_t *pool);

/* Call this in a new child. */
void logs_join(void);

void logs_register_hooks(void);
