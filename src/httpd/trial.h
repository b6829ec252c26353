/* SPDX-License-Identifier: MIT */
/*
 * What `apache2 -t` leaves out: logs, certificates and keys are opened only when the server starts.
 * A reload that can't open one ends the server and all that it serves, so the check before a reload
 * has to find it.
 */
#pragma once

#include <httpd.h>

#include "httpd/php.h"

/* Ends the process that tests, with a failure, if a start would fail, be it that of PHP alone. */
void trial_run(apr_pool_t *pconf, server_rec *server, const PhpSettings *php);
