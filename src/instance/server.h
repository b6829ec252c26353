/* SPDX-License-Identifier: MIT */
/*
 * One server process: how it is started, how it reports that it is ready, and how it ends without
 * losing a connection. What differs between kinds of servers is one row of a table in server.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "instance/page.h"

typedef struct Server Server;

/* What all servers of an instance have in common. The strings live as long as the instance. */
typedef struct ServerSettings {
        const char *instance;
        const char *config_dir;
        const char *runtime_dir; /* writable for the instance */
        const char *mpm;         /* event, worker or prefork */
        unsigned number;         /* of the next server, for files that two may not share */
        int handoff_fd;
        int bell; /* eventfd(2) that all pages ring */
} ServerSettings;

/* Called with the userdata of server_start(). */
typedef struct ServerEvents {
        /* It receives hand-offs, and takes signals as documented. */
        void (*on_ready)(Server *server, void *userdata);
        /* It is gone, with this waitpid(2) status; server_free() it. */
        void (*on_end)(Server *server, int status, void *userdata);
} ServerEvents;

struct Server {
        pid_t pid;
        Page *page;
        uint64_t read_usec; /* CLOCK_REALTIME when it was started, and began to read its files */
        bool is_ready;
        bool is_told;        /* to end */
        uint64_t began_usec; /* CLOCK_MONOTONIC */
        uint64_t
                leaving_usec; /* CLOCK_MONOTONIC since its gate was barred for good; 0: it is not */
        LIST_ENTRY(Server) link;

        uint64_t wake_usec, wake_pause_usec;
        int notify_fd;
        char *notify_path;
        sd_event_source *notify_source;
        sd_event_source *end_source;
        const ServerEvents *events;
        void *userdata;
};

/* 0 or a negative errno; the failing step is logged. */
int server_start(sd_event *event, const ServerSettings *settings, const ServerEvents *events,
                 void *userdata, Server **ret);

/* Returns NULL. The process has ended, or goes on without a supervisor. */
Server *server_free(Server *server);

/* Bars the gate for good: server_leave_step() then ends it when nothing is in hand any more. */
void server_leave(Server *server, uint64_t now_usec);

/*
 * The next step on its way out, if its time has come: it is told to end when a worker has each
 * connection that it received, and reminded to look for processes of its own that have ended.
 * Returns when to call this again (CLOCK_MONOTONIC), at the latest.
 */
uint64_t server_leave_step(Server *server, uint64_t now_usec);

/* At once: SIGTERM, or SIGKILL to the whole process group. */
void server_kill(Server *server, int number);

/* Tests the configuration of the server as its start would read it: does not return but for a
 * negative errno. */
int server_become_test(const ServerSettings *settings);
