/* SPDX-License-Identifier: MIT */
/*
 * One server process: how it is started, how it reports that it is ready, and how it ends without
 * losing a connection. What differs between kinds of servers is one row of a table in server.c.
 */
#pragma once

#include <sys/queue.h>

#include "instance/child.h"
#include "instance/context.h"
#include "instance/page.h"

typedef struct Server {
        Process process; /* has_ended: server_free() it */
        Page *page;
        bool is_ready;         /* it receives hand-offs, and takes signals as documented */
        bool is_told;          /* to end */
        uint64_t read_usec;    /* CLOCK_REALTIME when it was started, and began to read its files */
        uint64_t began_usec;   /* the same, and all below: CLOCK_MONOTONIC */
        uint64_t leaving_usec; /* since its gate was barred for good; 0: it is not */
        LIST_ENTRY(Server) link;

        uint64_t wake_usec, wake_pause_usec;
        int notify_fd;
        char *notify_path;
        sd_event_source *notify_source;
} Server;

/* The event loop writes down in the server when it gets ready, and when it has ended. Returns 0 or
 * a negative errno; the failing step is logged. */
int server_start(sd_event *event, const Context *context, Server **ret);

/* Kills it if it has not ended. */
void server_free(Server *server);

/* Bars the gate for good: server_leave_step() then ends it when nothing is in hand any more. */
void server_leave(Server *server, uint64_t now_usec);

/*
 * The next step on its way out, if its time has come: it is told to end when a worker has each
 * connection that it received, and reminded to look for processes of its own that have ended.
 * Returns when to call this again (CLOCK_MONOTONIC), at the latest.
 */
uint64_t server_leave_step(Server *server, uint64_t now_usec);

/* Ends it at once, with all that it serves. */
void server_cut(Server *server);

/* Tests the configuration of the server as its start would read it: does not return but for a
 * negative errno. */
int server_become_test(const Context *context);
