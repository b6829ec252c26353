/* SPDX-License-Identifier: MIT */
#include <signal.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "httpd/sigmask.h"

static bool is_needed; /* whether this child must block the signal */

static void sigmask_on_child(int number)
{
}

static apr_status_t sigmask_forget_children(void *unused)
{
        (void)signal(SIGCHLD, SIG_DFL);
        return APR_SUCCESS;
}

void sigmask_handle_children(apr_pool_t *pconf)
{
        const struct sigaction action = { .sa_handler = sigmask_on_child,
                                          .sa_flags = SA_RESTART | SA_NOCLDSTOP };

        (void)sigaction(SIGCHLD, &action, NULL);
        /* A reload unloads this module with its handler, and children may end after that. */
        apr_pool_cleanup_register(pconf, NULL, sigmask_forget_children, apr_pool_cleanup_null);
}

void sigmask_init_child(bool is_prefork)
{
        is_needed = is_prefork;
        (void)signal(SIGCHLD, SIG_DFL);
}

void sigmask_change(int how)
{
        sigset_t graceful;

        if (!is_needed)
                return;
        sigemptyset(&graceful);
        sigaddset(&graceful, AP_SIG_GRACEFUL);
        (void)pthread_sigmask(how, &graceful, NULL);
}
