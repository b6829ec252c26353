/* SPDX-License-Identifier: MIT */
/* Limits how many instances start at the same time: StartingMax= is the number of slots. A hand-off
 * to an instance that is not running starts the instance, so the instance needs a slot first. If
 * there is no free slot, instances wait in the order in which they asked for a slot. An instance
 * that receives no hand-off within START_SLOT_USEC loses its slot, and is late when it asks for the
 * next one. Late instances wait in their own queue. */
#pragma once

#include <stdbool.h>

#include "util/deadline.h"

typedef enum StartState {
        START_NONE,     /* the instance is probably running, or gets no hand-offs */
        START_WAITING,  /* waits for a slot; gets no hand-offs */
        START_HAS_SLOT, /* has a slot until it receives, or until the time of the slot ends */
} StartState;

/* The state of one instance. */
typedef struct Start {
        StartState state;
        uint64_t since_usec; /* when the state began */
        uint64_t sent_usec;  /* when the last hand-off was sent */
        int unread_bytes; /* START_HAS_SLOT: bytes of hand-offs that the instance had not received
                             at the last check */
        bool is_late;     /* its last slot ended before the instance received */
        TAILQ_ENTRY(Start) link; /* used in START_WAITING */
        Deadline deadline;       /* used in START_HAS_SLOT */
        struct Starts *starts;   /* used in START_HAS_SLOT */
} Start;

/* The caller's functions that answer questions about an instance, and handle its events. */
typedef struct StartHooks {
        bool (*runs)(const Start *start);
        int (*unread_bytes)(const Start *start); /* bytes of hand-offs that it has not received */
        void (*on_turn)(Start *start);           /* it has got a slot: send its hand-offs */
        void (*on_waited)(const Start *start, uint64_t usec); /* it has waited long for a slot */
        void (*on_left)(Start *start, bool is_late);          /* it no longer has its slot */
} StartHooks;

typedef TAILQ_HEAD(StartList, Start) StartList;

/* The instances of the router that are starting, and those that wait for a slot. */
typedef struct Starts {
        const StartHooks *hooks;
        sd_event *event; /* not owned */
        size_t max;
        DeadlineQueue starting; /* instances that have a slot */
        size_t n_late;          /* how many instances with a slot are late */
        StartList waiting;
        StartList waiting_late;
        sd_event_source *next; /* enabled while an instance can get a slot */
} Starts;

/* An instance that receives no hand-off keeps its slot for this time. */
#define START_SLOT_USEC (5 * UINT64_C(1000000))

int starts_init(Starts *starts, sd_event *event, const StartHooks *hooks);
void starts_done(Starts *starts);

/* The parameter setting is the value of StartingMax=; 0 means the default. */
void starts_set_max(Starts *starts, size_t setting);

/* Whether a hand-off to the instance may be sent now. If not, on_turn() is called when the
 * instance's turn comes. */
bool starts_may_send(Starts *starts, Start *start);

/* Call this function when a hand-off was sent. Returns whether this hand-off starts the instance.
 */
bool starts_sent(Starts *starts, Start *start);

/* Call this function when the instance may have received hand-offs. */
void starts_look(Starts *starts, Start *start);

/* Releases the instance's slot, or its place in the queue. Call this function when there is no
 * hand-off to send to the instance, or when it can't be sent. */
void starts_forget(Starts *starts, Start *start);
