/* SPDX-License-Identifier: MIT */
/* One server process: its start, its readiness, and an end that loses no connection. The
 * differences between kinds of servers are in a table in server.c. */
#pragma once

#include <sys/queue.h>

#include "instance/child.h"
#include "instance/context.h"
#include "instance/page.h"

/* An ending server passes through all phases, or goes directly to SERVER_IS_CUT. */
typedef enum ServerPhase {
        SERVER_RECEIVES,  /* or will, when it is ready */
        SERVER_DRAINS,    /* its gate is barred; workers take connections in hand */
        SERVER_FINISHES,  /* has its stop signal, and ends with its last connection */
        SERVER_IS_CUT,    /* has the signal to end at once */
        SERVER_IS_KILLED, /* it did not end at once */
} ServerPhase;

/* The maximum of watched receiving processes of one server. */
#define RECEIVERS_MAX 8

typedef struct ServerKind ServerKind;

/* A receiving process of the server. */
typedef struct Receiver {
        pid_t pid; /* 0: none */
        Page *page;
        sd_event_source *end;
} Receiver;

typedef struct Server {
        const ServerKind *kind;
        Process process; /* when it has_ended, call server_free() */
        Page *page;
        bool is_ready; /* it receives hand-offs, and takes signals as documented */
        ServerPhase phase;
        uint64_t read_usec;  /* CLOCK_REALTIME when it was started, and began to read its files */
        uint64_t began_usec; /* the same time; this and all times below are CLOCK_MONOTONIC */
        LIST_ENTRY(Server) link;

        uint64_t drained_usec;  /* when it gets its stop signal, even with connections in hand */
        uint64_t deadline_usec; /* the end of its phase, while the server ends */
        uint64_t wake_usec, wake_pause_usec;
        Receiver receivers[RECEIVERS_MAX];
        uint64_t deserted_usec; /* when it is killed because no process receives; 0: a process
                                   receives */
        int notify_fd;
        char *notify_path;
        sd_event_source *notify_source;
} Server;

/* Starts a server. The event loop records in *ret when the server is ready and when it has ended.
 * Returns 0 or a negative errno. Logs the step that failed. */
int server_start(sd_event *event, const Context *context, Server **ret);

/* Kills the server if it has not ended. */
void server_free(Server *server);

/* When a receiving process ends, counts the connections of this process as ended. Kills a server
 * without a receiving process. Returns when to call this again at the latest. */
uint64_t server_watch(Server *server, sd_event *event, uint64_t now_usec);

/* Bars the gate permanently. Then server_step() ends the server: gracefully when no connection is
 * in hand, or with all its connections at the deadline (UINT64_MAX: none). */
void server_leave(Server *server, uint64_t now_usec, uint64_t deadline_usec);

/* Sets an earlier deadline for a server that is leaving. */
void server_hurry(Server *server, uint64_t deadline_usec);

/* Ends the server now, with all its connections. If it does not end, it is killed some seconds
 * later. */
void server_cut(Server *server, uint64_t now_usec);

/* Takes the next step of an ending server if the step is due, and makes the server reap its
 * processes. Returns when to call this again at the latest (CLOCK_MONOTONIC). */
uint64_t server_step(Server *server, uint64_t now_usec);

/* Executes the server's own test of its configuration in this process. Returns only after a
 * failure, with a negative errno. */
int server_become_test(const Context *context);
