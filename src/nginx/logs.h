/* SPDX-License-Identifier: MIT */
/* Writes the access log in the format of Apache instances, and the error log in nginx's own format.
 */
#pragma once

#include <stdbool.h>

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_http.h>

/* Replaces nginx's error log. Call this each time that nginx has read its configuration. The string
 * instance must exist as long as the cycle. are_files: true sends lines to bellhop-log(8), which
 * writes files; false sends them to the journal. */
void logs_open(ngx_cycle_t *cycle, const char *instance, bool are_files);

/* Call this in a worker, before its first request. The worker sends the lines of one round of its
 * event loop to bellhop-log together, before it sleeps. */
void logs_join(ngx_log_t *log);
/* Call this in a worker that ends. */
void logs_flush(void);

/* Call this in the log phase of a request. */
void logs_write_access(ngx_http_request_t *request);
