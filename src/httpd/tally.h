/* SPDX-License-Identifier: MIT */
/*
 * Counts what an instance has received and what is still open, over all its children. Lives in
 * memory that parent and children share and that outlives a reload. Never allocates, never fails,
 * never logs.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Tally Tally;
typedef struct TallySlot TallySlot;

typedef struct TallySum {
        uint64_t n_handoffs; /* since the instance was started */
        uint64_t n_open;     /* connections, idle ones and upgraded ones included */
        uint64_t last_usec;  /* CLOCK_MONOTONIC of the last hand-off, 0: none yet */
} TallySum;

/* How many bytes of zeroed shared memory n_children children at a time need. */
size_t tally_size(size_t n_children);
Tally *tally_init(void *memory, size_t n_children);

/* In a child, once: its own slot. */
TallySlot *tally_join(Tally *tally, pid_t pid);
/* In the parent, when a child is gone, however it went: its open connections are gone with it. */
void tally_leave(Tally *tally, pid_t pid);

void tally_opened(TallySlot *slot, uint64_t now_usec);
void tally_closed(TallySlot *slot);

TallySum tally_sum(const Tally *tally);
