/* SPDX-License-Identifier: MIT */
/* The logs that are no files of the server's: `ErrorLog NAME` and `CustomLog NAME FORMAT`, where
 * NAME is "journal:" or "files:", which bellhop-log(8) writes. */
#pragma once

#include <httpd.h>

/* Takes both from their writers in Apache. Call it when all directives are read (BufferedLogs sets
 * the writer of access logs, too) and before logs are opened. instance must outlive all requests.
 */
void logs_init(server_rec *server, const char *instance);

/* The connection to bellhop-log; negative: "files:" is the journal. In the parent. */
void logs_use(int lines_fd);

/* From now on error lines go there, until the pool is cleared. */
void logs_open(apr_pool_t *pool);

/* In a new child. */
void logs_join(void);

void logs_register_hooks(void);
