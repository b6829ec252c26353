/* SPDX-License-Identifier: MIT */
/* Owns one bit of the signal mask of a prefork child, of its only serving thread. */
#include <signal.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "httpd/shield.h"

static bool is_needed;

void shield_init(bool needed)
{
        is_needed = needed;
}

static void change(int how)
{
        sigset_t graceful;

        if (!is_needed)
                return;
        sigemptyset(&graceful);
        sigaddset(&graceful, AP_SIG_GRACEFUL);
        (void)pthread_sigmask(how, &graceful, NULL);
}

void shield_up(void)
{
        change(SIG_BLOCK);
}

void shield_down(void)
{
        change(SIG_UNBLOCK);
}
