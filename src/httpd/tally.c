/* SPDX-License-Identifier: MIT */
/*
 * Owns the counters of an instance. The scoreboard can't answer for us: the event MPM refreshes its
 * numbers only when a timeout queue is due, so an idle-looking child may hold connections. Each
 * child writes to a cache line of its own; the parent alone adds up.
 */
#include <stdalign.h>
#include <stdatomic.h>

#include "httpd/tally.h"

#define CACHE_LINE 64

struct TallySlot {
        alignas(CACHE_LINE) _Atomic pid_t pid; /* 0: free */
        _Atomic uint64_t n_handoffs;
        _Atomic uint64_t n_open;
        _Atomic uint64_t last_usec;
};

/* slots[0] is shared by children that found no slot, and keeps what children that are gone had
 * received. */
struct Tally {
        size_t n_slots;
        TallySlot slots[];
};

/* After a graceful restart, old children may linger beside as many new ones. */
static size_t count_slots(size_t n_children)
{
        return 1 + 2 * n_children;
}

size_t tally_size(size_t n_children)
{
        return sizeof(Tally) + count_slots(n_children) * sizeof(TallySlot);
}

Tally *tally_init(void *memory, size_t n_children)
{
        Tally *tally = memory;

        tally->n_slots = count_slots(n_children);
        return tally;
}

TallySlot *tally_join(Tally *tally, pid_t pid)
{
        for (size_t i = 1; i < tally->n_slots; i++) {
                pid_t nobody = 0;

                if (atomic_compare_exchange_strong(&tally->slots[i].pid, &nobody, pid))
                        return &tally->slots[i];
        }
        return &tally->slots[0];
}

void tally_leave(Tally *tally, pid_t pid)
{
        TallySlot *gone = &tally->slots[0];

        for (size_t i = 1; i < tally->n_slots; i++) {
                TallySlot *slot = &tally->slots[i];

                if (slot->pid != pid)
                        continue;
                gone->n_handoffs += atomic_exchange(&slot->n_handoffs, 0);
                if (slot->last_usec > gone->last_usec)
                        gone->last_usec = slot->last_usec;
                slot->last_usec = 0;
                slot->n_open = 0;
                slot->pid = 0;
        }
}

void tally_opened(TallySlot *slot, uint64_t now_usec)
{
        slot->n_open++;
        slot->n_handoffs++;
        slot->last_usec = now_usec;
}

void tally_closed(TallySlot *slot)
{
        slot->n_open--;
}

TallySum tally_sum(const Tally *tally)
{
        TallySum sum = { .n_handoffs = 0 };

        for (size_t i = 0; i < tally->n_slots; i++) {
                const uint64_t last = tally->slots[i].last_usec;

                sum.n_handoffs += tally->slots[i].n_handoffs;
                sum.n_open += tally->slots[i].n_open;
                if (last > sum.last_usec)
                        sum.last_usec = last;
        }
        return sum;
}
