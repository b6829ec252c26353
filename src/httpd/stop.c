/* SPDX-License-Identifier: MIT */
/* Owns the parent's SIGINT, SIGUSR1 and SIGCHLD. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "httpd/stop.h"

static struct Stop {
        int bell;
        pid_t parent;
        _Atomic unsigned orders;
        struct sigaction reload, child; /* as they were */
} stop;

static void on_order(int number)
{
        const int saved = errno;

        /* A prefork child that was forked a moment ago and has not yet set its own. */
        if (number == AP_SIG_GRACEFUL && getpid() != stop.parent) {
                stop.reload.sa_handler(number);
                return;
        }
        stop.orders |= number == SIGINT ? ORDER_STOP : ORDER_RELOAD;
        (void)eventfd_write(stop.bell, 1);
        errno = saved;
}

static const struct sigaction on_orders = { .sa_handler = on_order, .sa_flags = SA_RESTART };

static void on_child(int number)
{
}

static void change(int how)
{
        sigset_t held;

        sigemptyset(&held);
        sigaddset(&held, SIGINT);
        (void)pthread_sigmask(how, &held, NULL);
}

/*
 * SIGCHLD because the server looks for children that have ended once a second: each stop would take
 * a second, for which new visitors wait, and so would each reload. A signal that is handled
 * interrupts its sleep.
 */
void stop_begin(int bell)
{
        const struct sigaction on_children = { .sa_handler = on_child,
                                               .sa_flags = SA_RESTART | SA_NOCLDSTOP };

        change(SIG_BLOCK);
        stop.bell = bell;
        stop.parent = getpid();
        (void)sigaction(AP_SIG_GRACEFUL, &on_orders, &stop.reload);
        (void)sigaction(SIGCHLD, &on_children, &stop.child);
}

void stop_heed(void)
{
        (void)sigaction(SIGINT, &on_orders, NULL);
        (void)sigaction(AP_SIG_GRACEFUL, &on_orders, &stop.reload);
        change(SIG_UNBLOCK);
}

void stop_end(void)
{
        struct sigaction reload;

        change(SIG_BLOCK);
        (void)sigaction(SIGCHLD, &stop.child, NULL);
        /* It may be the MPM's again. */
        if (sigaction(AP_SIG_GRACEFUL, NULL, &reload) == 0 && reload.sa_handler == on_order)
                (void)sigaction(AP_SIG_GRACEFUL, &stop.reload, NULL);
}

unsigned stop_take(void)
{
        return atomic_exchange(&stop.orders, 0);
}

void stop_pass_on(Order order)
{
        if (order == ORDER_RELOAD)
                (void)sigaction(AP_SIG_GRACEFUL, &stop.reload, NULL);
        (void)kill(getpid(), order == ORDER_RELOAD ? AP_SIG_GRACEFUL : AP_SIG_GRACEFUL_STOP);
}

void stop_wake(void)
{
        (void)kill(getpid(), SIGCHLD);
}

void stop_leave(void)
{
        (void)sigaction(SIGCHLD, &stop.child, NULL);
        change(SIG_UNBLOCK);
}
