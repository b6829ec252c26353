/* SPDX-License-Identifier: MIT */
/*
 * Owns the counters of an instance. The scoreboard can't answer for us: the event MPM refreshes its
 * numbers only when a timeout queue is due, so an idle-looking child may hold connections. Each
 * child writes to a cache line of its own; the parent alone adds up.
 */
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "httpd/tally.h"

#define CACHE_LINE 64

typedef struct TallySlot {
        alignas(CACHE_LINE) _Atomic pid_t pid; /* 0: free */
        _Atomic uint32_t n_in_hand;
        _Atomic uint64_t n_handoffs;
        _Atomic uint64_t n_open;
        _Atomic uint64_t last_usec;
        _Atomic uint64_t ended_usec;
} TallySlot;

/* slots[0] is shared by children that found no slot, and keeps what children that are gone had
 * received. */
struct Tally {
        size_t n_slots;
        int bell;
        _Atomic uint32_t barred; /* generations up to this one receive nothing */
        atomic_bool has_changed;
        TallySlot slots[];
};

static struct Member {
        Tally *tally;
        TallySlot *slot;
        uint32_t generation;
} own; /* of this child */

/* After a graceful restart, old children may linger beside as many new ones. */
static size_t count_slots(size_t n_children)
{
        return 1 + 2 * n_children;
}

size_t tally_size(size_t n_children)
{
        return sizeof(Tally) + count_slots(n_children) * sizeof(TallySlot);
}

Tally *tally_init(void *memory, size_t n_children, int bell)
{
        Tally *tally = memory;

        tally->n_slots = count_slots(n_children);
        tally->bell = bell;
        return tally;
}

/* A busy instance rings only as often as the parent listens: the flag is mostly set, and then only
 * read. */
static void tell(Tally *tally)
{
        if (!tally->has_changed && !atomic_exchange(&tally->has_changed, true))
                (void)eventfd_write(tally->bell, 1);
}

/* While our gate is barred, the parent waits for each. */
static void let_go(void)
{
        own.slot->n_in_hand--;
        if (own.tally->barred >= own.generation)
                (void)eventfd_write(own.tally->bell, 1);
}

static TallySlot *find_slot(Tally *tally, pid_t pid)
{
        for (size_t i = 1; i < tally->n_slots; i++) {
                pid_t nobody = 0;

                if (atomic_compare_exchange_strong(&tally->slots[i].pid, &nobody, pid))
                        return &tally->slots[i];
        }
        return &tally->slots[0];
}

void tally_join(Tally *tally, pid_t pid, uint32_t generation)
{
        own = (struct Member){ tally, find_slot(tally, pid), generation };
}

static void raise_to(_Atomic uint64_t *usec, uint64_t value)
{
        uint64_t old = *usec;

        while (old < value && !atomic_compare_exchange_weak(usec, &old, value))
                ;
}

void tally_leave(Tally *tally, pid_t pid, uint64_t now_usec)
{
        TallySlot *gone = &tally->slots[0];

        for (size_t i = 1; i < tally->n_slots; i++) {
                TallySlot *slot = &tally->slots[i];

                if (slot->pid != pid)
                        continue;
                raise_to(&gone->last_usec, slot->last_usec);
                raise_to(&gone->ended_usec, slot->n_open > 0 ? now_usec : slot->ended_usec);
                gone->n_handoffs += atomic_exchange(&slot->n_handoffs, 0);
                slot->last_usec = 0;
                slot->ended_usec = 0;
                slot->n_open = 0;
                slot->n_in_hand = 0;
                slot->pid = 0;
                (void)eventfd_write(tally->bell, 1);
                tell(tally);
        }
}

/* Either we see the bar, or the parent sees that something is in hand. */
bool tally_reach(void)
{
        own.slot->n_in_hand++;
        if (own.tally->barred < own.generation)
                return true;
        let_go();
        return false;
}

void tally_missed(void)
{
        let_go();
}

void tally_opened(uint64_t now_usec)
{
        own.slot->n_open++;
        own.slot->n_handoffs++;
        own.slot->last_usec = now_usec;
        tell(own.tally);
}

void tally_taken(void)
{
        let_go();
}

void tally_ended(uint64_t now_usec)
{
        own.slot->ended_usec = now_usec;
        own.slot->n_open--;
        tell(own.tally);
}

void tally_bar(Tally *tally, uint32_t generation)
{
        tally->barred = generation;
}

void tally_unbar(Tally *tally)
{
        tally->barred--;
}

bool tally_has_changed(const Tally *tally)
{
        return tally->has_changed;
}

void tally_listen(Tally *tally)
{
        tally->has_changed = false;
}

static void take_later(uint64_t *usec, uint64_t value)
{
        if (value > *usec)
                *usec = value;
}

TallySum tally_sum(const Tally *tally)
{
        TallySum sum = { .n_handoffs = 0 };

        for (size_t i = 0; i < tally->n_slots; i++) {
                const TallySlot *slot = &tally->slots[i];

                sum.n_handoffs += slot->n_handoffs;
                sum.n_open += slot->n_open;
                sum.n_in_hand += slot->n_in_hand;
                take_later(&sum.last_usec, slot->last_usec);
                take_later(&sum.ended_usec, slot->ended_usec);
        }
        return sum;
}
