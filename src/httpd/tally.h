/* SPDX-License-Identifier: MIT */
/*
 * Counts what an instance has received and what is still open, over all its children, and has the
 * gate through which they receive. Lives in memory that parent and children share and that outlives
 * a reload. Never allocates, never fails, never logs, takes no lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Tally Tally;

typedef struct TallySum {
        uint64_t n_handoffs; /* since the instance was started */
        uint64_t n_open;     /* connections, idle ones and upgraded ones included */
        uint64_t n_in_hand;  /* a child is about to receive, or a worker has still to take it */
        uint64_t last_usec;  /* CLOCK_MONOTONIC of the last hand-off, 0: none yet */
        uint64_t ended_usec; /* of the last end of a connection */
} TallySum;

/* How many bytes of zeroed shared memory n_children children at a time need. */
size_t tally_size(size_t n_children);
/* bell: an eventfd(2) that children write to, for the parent to hear of changes. */
Tally *tally_init(void *memory, size_t n_children, int bell);

/* In a child, once: takes a slot. generation: of the configuration, from 1 on. */
void tally_join(Tally *tally, pid_t pid, uint32_t generation);
/* In the parent, when a child is gone, however it went: its open connections are gone with it. */
void tally_leave(Tally *tally, pid_t pid, uint64_t now_usec);

/*
 * The way of a connection, in a child that has joined: reach for it, then missed or opened; taken
 * by a worker; ended. False, and nothing is in hand: the gate is barred.
 */
bool tally_reach(void);
void tally_missed(void);
void tally_opened(uint64_t now_usec);
void tally_taken(void);
void tally_ended(uint64_t now_usec);

/* In the parent: children of this generation and before receive nothing from now on. What they have
 * in hand now, they still take, and each rings the bell for it. */
void tally_bar(Tally *tally, uint32_t generation);
/* Takes the last one back. */
void tally_unbar(Tally *tally);

/* In the parent: whether the numbers have changed since it listened; only the first change rings.
 */
bool tally_has_changed(const Tally *tally);
void tally_listen(Tally *tally);

TallySum tally_sum(const Tally *tally);
