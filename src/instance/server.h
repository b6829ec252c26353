/* SPDX-License-Identifier: MIT */
/* One server process: its start, its readiness, and an end that loses no connection. What differs
 * between kinds of servers is one row of a table in server.c. */
#pragma once

#include <sys/queue.h>

#include "instance/child.h"
#include "instance/context.h"
#include "instance/page.h"

/* The way out goes through all of them, or directly to SERVER_CUT. */
typedef enum ServerPhase {
        SERVER_RECEIVES,  /* or will, once it is ready */
        SERVER_DRAINS,    /* its gate is barred; workers take what is in hand */
        SERVER_FINISHES,  /* has its stop signal, and ends with its last connection */
        SERVER_IS_CUT,    /* has the signal to end at once */
        SERVER_IS_KILLED, /* it did not */
} ServerPhase;

/* Processes of one server that receive; those beyond are not watched. */
#define RECEIVERS_MAX 8

typedef struct ServerKind ServerKind;

/* A process of the server that receives. */
typedef struct Receiver {
        pid_t pid; /* 0: none */
        Page *page;
        sd_event_source *end;
} Receiver;

typedef struct Server {
        const ServerKind *kind;
        Process process; /* has_ended: server_free() it */
        Page *page;
        bool is_ready; /* it receives hand-offs, and takes signals as documented */
        ServerPhase phase;
        uint64_t read_usec;  /* CLOCK_REALTIME when it was started, and began to read its files */
        uint64_t began_usec; /* the same, and all below: CLOCK_MONOTONIC */
        LIST_ENTRY(Server) link;

        uint64_t drained_usec;  /* when it gets its stop signal, whatever it has in hand */
        uint64_t deadline_usec; /* of its phase, on the way out */
        uint64_t wake_usec, wake_pause_usec;
        Receiver receivers[RECEIVERS_MAX];
        uint64_t deserted_usec; /* when it is killed, as nobody receives; 0: somebody does */
        int notify_fd;
        char *notify_path;
        sd_event_source *notify_source;
} Server;

/* The event loop records in the server when it is ready and when it has ended. Returns 0 or a
 * negative errno; logs the step that failed. */
int server_start(sd_event *event, const Context *context, Server **ret);

/* Kills it if it has not ended. */
void server_free(Server *server);

/* Counts as ended what a process that receives had, when that ends, and kills a server without such
 * a process. Returns when to call this again at the latest. */
uint64_t server_watch(Server *server, sd_event *event, uint64_t now_usec);

/* Bars the gate for good. Afterwards server_step() ends it: gracefully when nothing is in hand any
 * more, with all that it still serves at the deadline (UINT64_MAX: none). */
void server_leave(Server *server, uint64_t now_usec, uint64_t deadline_usec);

/* An earlier deadline for a server that is leaving. */
void server_hurry(Server *server, uint64_t deadline_usec);

/* Ends it now, with all that it serves; a server that does not end is killed some seconds later. */
void server_cut(Server *server, uint64_t now_usec);

/* Takes the next step of a server on its way out, if it is due, and reminds it to look for its
 * ended processes. Returns when to call this again at the latest (CLOCK_MONOTONIC). */
uint64_t server_step(Server *server, uint64_t now_usec);

/* Becomes the test of the configuration that a start would read; returns only a negative errno. */
int server_become_test(const Context *context);
