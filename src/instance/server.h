/* SPDX-License-Identifier: MIT */
/* Starts a server, learns when it is ready, and ends it without losing a connection. A table in
 * server.c has the differences between the kinds of servers. */
#pragma once

#include <sys/queue.h>

#include "instance/child.h"
#include "instance/context.h"
#include "instance/page.h"

/* A server passes through these phases in this order until it has ended. It may skip phases before
 * SERVER_IS_CUT. */
typedef enum ServerPhase {
        SERVER_RECEIVES,  /* receives hand-offs, or will when it is ready */
        SERVER_DRAINS,    /* its gate is barred; workers still take connections that are in hand
                             (page.h) */
        SERVER_FINISHES,  /* got its stop signal, and ends after its last connection */
        SERVER_IS_CUT,    /* got the signal to end at once */
        SERVER_IS_KILLED, /* got SIGKILL, because it did not end at once */
} ServerPhase;

/* At most this number of receiving processes of one server are watched. */
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
        Process process; /* when has_ended is set, call server_free() */
        Page *page;
        bool is_ready; /* it receives hand-offs, and handles signals as documented */
        ServerPhase phase;
        uint64_t read_usec;  /* CLOCK_REALTIME when it was started, and began to read its files */
        uint64_t began_usec; /* the same moment by CLOCK_MONOTONIC, as all times below */
        LIST_ENTRY(Server) link;

        uint64_t drained_usec;  /* when it gets its stop signal at the latest, even if connections
                                   are in hand */
        uint64_t deadline_usec; /* when the next, harsher signal is sent to an ending server */
        uint64_t wake_usec, wake_pause_usec;
        Receiver receivers[RECEIVERS_MAX];
        uint64_t deserted_usec; /* when it is killed because no process receives hand-offs; 0: a
                                   process receives them */
        int notify_fd;
        char *notify_path;
        sd_event_source *notify_source;
} Server;

/* Starts a server. The event loop records in *ret that the server is ready, and later that it has
 * ended. Returns 0 or a negative errno. Logs the step that failed. */
int server_start(sd_event *event, const Context *context, Server **ret);

/* Kills the process of the server if it has not ended, and frees the server. */
void server_free(Server *server);

/* Watches the receiving processes of the server. When one ends, counts its connections as ended.
 * Kills a server that has had no receiving process for a while. Returns when to call this again at
 * the latest. */
uint64_t server_watch(Server *server, sd_event *event, uint64_t now_usec);

/* Bars the gate permanently. Later, server_step() sends the stop signal when no connection is in
 * hand, and cuts all connections at the deadline. deadline_usec: UINT64_MAX means that there is no
 * deadline. */
void server_leave(Server *server, uint64_t now_usec, uint64_t deadline_usec);

/* Call it after server_leave(). Sets the deadline of the server, if the new deadline is earlier
 * than the old one. */
void server_hurry(Server *server, uint64_t deadline_usec);

/* Sends the server the signal to end at once, with all its connections. If it has not ended some
 * seconds later, server_step() kills it. */
void server_cut(Server *server, uint64_t now_usec);

/* If the server is to end and the time has come, sends it the signal to stop, cuts its connections,
 * or kills it. Also wakes the server, so that it reaps those of its processes that have ended.
 * Returns when to call this again at the latest (CLOCK_MONOTONIC). */
uint64_t server_step(Server *server, uint64_t now_usec);

/* Executes the server's own test of its configuration in this process. Returns only after a
 * failure, with a negative errno. */
int server_become_test(const Context *context);
