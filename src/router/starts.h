/* SPDX-License-Identifier: MIT */
/*
 * How many instances may start at the same time: StartingMax=. A hand-off to one that sleeps starts
 * it, so it needs one of so many slots first; outlets without one wait in the order they asked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

typedef struct Outlet Outlet;
typedef struct Router Router;

typedef TAILQ_HEAD(OutletQueue, Outlet) OutletQueue;

typedef enum StartState {
        START_NONE,     /* runs, as far as is known, or is sent nothing */
        START_WAITING,  /* for a slot; it is sent nothing */
        START_HAS_SLOT, /* until it receives, or its time is over */
} StartState;

/* An outlet's part. */
typedef struct Start {
        StartState state;
        uint64_t since_usec; /* when that began */
        uint64_t sent_usec;  /* the last hand-off */
        int unread_bytes;    /* START_HAS_SLOT: of its hand-offs, at the last look */
        bool is_late;        /* the last time, its time was over before it received */
        TAILQ_ENTRY(Outlet) link;
} Start;

/* The router's part. */
typedef struct Starts {
        size_t max;
        size_t n_starting;
        size_t n_late;        /* of them */
        OutletQueue starting; /* by since_usec */
        OutletQueue waiting;
        OutletQueue waiting_late;
        sd_event_source *limit; /* the first of starting has had its time */
        sd_event_source *next;  /* on while somebody's turn has come */
} Starts;

int starts_init(Starts *starts, sd_event *event);
void starts_done(Starts *starts);

/* setting: StartingMax= */
void starts_set_max(Starts *starts, size_t setting);

/* False: later. It is flushed when its turn comes. */
bool starts_may_send(Outlet *outlet);

/* A hand-off was sent. */
void starts_sent(Outlet *outlet);

/* It may have received. */
void starts_look(Outlet *outlet);

/* It is sent nothing now: it needs neither its slot nor its place among those that wait. */
void starts_forget(Outlet *outlet);
