/* SPDX-License-Identifier: MIT */
/*
 * The watch: what an instance tells systemd of itself while it runs, and when it ends. A thread in
 * the parent, because the server's own hook comes every ten seconds only. It sleeps until something
 * has changed or the instance has been idle for long enough.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "httpd/tally.h"

#define WATCH_STATUS_SIZE 128

/* What outlives a reload. */
typedef struct Watch {
        Tally *tally;
        int bell;             /* eventfd(2): children, orders and watch_end() write to it */
        int handoff_fd;       /* only looked at */
        uint32_t generation;  /* of the configuration, from 1 on */
        uint64_t began_usec;  /* when the instance was started */
        uint64_t ended_usec;  /* when it was told to end, or was idle; 0: it was not */
        atomic_bool is_ended; /* by idleness or order; a reload doesn't take it back */
        char status[WATCH_STATUS_SIZE]; /* as systemd knows it */
} Watch;

void watch_init(Watch *watch, Tally *tally, int bell, int handoff_fd);

/* In the parent, when the MPM has set its handlers, as often as you like. Heeds orders from now on.
 * Returns 0 or an error number: call it again later. */
int watch_start(Watch *watch, uint64_t idle_usec);

/* Before this module is unloaded, and after stop_end(). */
void watch_end(Watch *watch);
