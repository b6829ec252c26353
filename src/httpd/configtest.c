/* SPDX-License-Identifier: MIT */
/* Owns the rest of a start, in the process of `apache2 -t` alone. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <httpd.h>

#include <http_config.h>

#include "httpd/configtest.h"
#include "httpd/inbox.h"

void configtest_run(apr_pool_t *pconf, server_rec *server)
{
        const int terminal = dup(STDERR_FILENO);
        apr_pool_t *plog, *ptemp;
        bool is_good;

        /* All of it ends with the process. */
        apr_pool_create(&plog, pconf);
        apr_pool_create(&ptemp, pconf);
        /* Logs come last, since they take the place of standard error, which has all messages until
         * then; and the MPM, which is asked as well, insists on something to listen to. */
        is_good = inbox_open(pconf, server, -EBADF, 0) == APR_SUCCESS &&
                  ap_run_post_config(pconf, plog, ptemp, server) == OK &&
                  ap_run_open_logs(pconf, plog, ptemp, server) == OK;
        (void)dup2(terminal, STDERR_FILENO);
        close(terminal);
        if (is_good)
                return;
        (void)fprintf(stderr, "The server would not start: see above, or the error log.\n");
        exit(EXIT_FAILURE);
}
