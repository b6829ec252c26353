/* SPDX-License-Identifier: MIT */
/*
 * What `apache2 -t` leaves out: logs, certificates and keys are opened only when the server starts.
 * bellhopctl check and a reload ask before they touch what runs.
 */
#pragma once

#include <httpd.h>

/* Ends the process that tests, with a failure, if a start would fail. */
void configtest_run(apr_pool_t *pconf, server_rec *server);
