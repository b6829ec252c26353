/* SPDX-License-Identifier: MIT */
/* systemd starts the stand-in when an instance has failed. The stand-in asks systemd how the
 * instance ended, because no customer can forge the answer of systemd. If the instance could not
 * start, the stand-in refuses the connections in the queue, which is the hand-off socket. If they
 * stayed there, they would start the instance again and again, and their clients would wait. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef enum Ending {
        ENDING_NEVER_READY, /* it could not start */
        ENDING_CRASH,       /* it had been ready, or was killed while it started */
        ENDING_CRASH_LOOP,  /* it crashed soon after its start, as it did the time before */
} Ending;

/* Data from systemd and the queue. Times are CLOCK_MONOTONIC, 0: never. */
typedef struct EndingFacts {
        bool is_loaded;              /* the unit's files are valid */
        bool is_killed;              /* a signal ended it, from any sender */
        uint64_t start_usec;         /* the instance's last start */
        uint64_t ready_usec;         /* when it was last ready */
        uint64_t end_usec;           /* when it ended */
        uint64_t last_stand_in_usec; /* when the previous stand-in ended */
        uint64_t waited_usec;        /* the waiting time of the first connection in the queue */
        char cause[64];              /* in systemd's terms: "exit-code 1" */
} EndingFacts;

/* Asks systemd over the system bus for all facts except waited_usec. Returns a negative errno if
 * systemd does not answer; then ret->is_loaded is false. */
int standin_ask(const char *instance, EndingFacts *ret);

/* Returns how long the first connection in the queue has waited, or 0 if the queue is empty. */
uint64_t standin_waited_usec(int handoff_fd);

Ending standin_judge(const EndingFacts *facts);

/* How long clients are refused. Each refusal over HTTP has the same time in Retry-After:. */
#define STANDIN_PAUSE_USEC (5 * UINT64_C(1000000))

/* For pause_usec, refuses all connections in the queue, and new ones as they arrive. The status of
 * the stand-in shows cause, the reason why the instance can't start. sender_uid is the same as in
 * bellhop_receive(). */
int standin_run_consume(int handoff_fd, const char *instance, const char *cause, uid_t sender_uid,
                        uint64_t pause_usec);
