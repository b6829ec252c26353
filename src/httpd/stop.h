/* SPDX-License-Identifier: MIT */
/*
 * Orders from outside, to stop and to reload, which can't get lost, and which the server gets when
 * nothing can get lost by them.
 *
 * The server's own signal for a graceful stop, SIGWINCH, is ignored by default, so one that comes
 * before the MPM has set its handlers is gone: the server runs on, until whoever asked it to stop
 * loses patience and kills it with all that it serves. SIGINT ends a process that has not got so
 * far, which has received nothing yet; afterwards it waits until it is heeded.
 * SIGUSR1 would end it even while it tells systemd that it is ready.
 *
 * And the event MPM forgets connections that it has accepted and no worker has taken when it is
 * told to stop or to reload. So both orders, SIGINT and SIGUSR1, are noted here, and the server
 * hears of them from watch.c.
 */
#pragma once

typedef enum Order {
        ORDER_STOP = 1,
        ORDER_RELOAD = 2,
} Order;

/* In the parent, when this module has been loaded: SIGINT waits, and a SIGUSR1 that comes before
 * the MPM has set its handlers is noted. bell: an eventfd(2), written to at each order. */
void stop_begin(int bell);
/* When the MPM has set its handlers: ours take their place. */
void stop_heed(void);
/* Before this module is unloaded; SIGINT waits. */
void stop_end(void);

/* Those noted since the last call. */
unsigned stop_take(void);

/* Gives the server an order. */
void stop_pass_on(Order order);

/* Has it look for children that have ended. */
void stop_wake(void);

/* In a child, which may have been forked meanwhile. */
void stop_leave(void);
