/* SPDX-License-Identifier: MIT */
/* Owns SIGINT: when the parent can be told to stop. */
#include <signal.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "httpd/stop.h"

static void on_stop(int number)
{
        (void)kill(getpid(), AP_SIG_GRACEFUL_STOP);
}

static void change(int how)
{
        sigset_t held;

        sigemptyset(&held);
        sigaddset(&held, SIGINT);
        (void)pthread_sigmask(how, &held, NULL);
}

void stop_hold(void)
{
        change(SIG_BLOCK);
}

void stop_heed(void)
{
        const struct sigaction action = { .sa_handler = on_stop, .sa_flags = SA_RESTART };

        (void)sigaction(SIGINT, &action, NULL);
        change(SIG_UNBLOCK);
}

void stop_leave(void)
{
        change(SIG_UNBLOCK);
}
