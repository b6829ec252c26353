/* SPDX-License-Identifier: MIT */
/* The processes of a server count their connections in the page (page.h), because the server's own
 * counts are not reliable. For example, the event MPM of Apache updates its scoreboard only when it
 * looks for connections that have timed out, so a process that looks idle may have connections.
 * Each process writes only to its own cache line, and the supervisor adds up the counts. */
#include <assert.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/param.h>
#include <sys/stat.h>

#include "instance/page.h"
#include "util/cleanup.h"

#define CACHE_LINE 64

/* This is more than TasksMax= of an instance. Any further processes share slots[0]. */
#define SLOTS 1024

typedef struct PageSlot {
        alignas(CACHE_LINE) _Atomic pid_t pid; /* 0: free */
        _Atomic uint32_t n_in_hand;
        _Atomic uint64_t n_handoffs;
        _Atomic uint64_t n_open;
        _Atomic uint64_t last_usec;
        _Atomic uint64_t ended_usec;
        _Atomic uint64_t n_requests;
} PageSlot;

/* slots[0] is for processes without their own slot, and keeps the counts of ended processes. */
struct Page {
        atomic_bool is_barred;
        atomic_bool has_changed;
        _Atomic uint64_t n_used; /* slots from this number on are unused, and take no memory */
        _Atomic uint64_t others;
        PageSlot slots[SLOTS];
};

static struct {
        Page *page;
        int bell;
        PageSlot *slot; /* the slot of this process */
} own = { .bell = -EBADF };

int page_new(Page **ret)
{
        _cleanup_close_ int fd = memfd_create("bellhop-page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0 || ftruncate(fd, sizeof(Page)) < 0)
                return -errno;
        /* If a server could shrink the page, it could kill the supervisor: reading the page would
         * raise SIGBUS. */
        if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                return -errno;
        r = page_open(fd, ret);
        return r < 0 ? r : take_fd(fd);
}

int page_open(int fd, Page **ret)
{
        struct stat st;
        void *page;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (st.st_size != (off_t)sizeof(Page))
                return -EINVAL;
        page = mmap(NULL, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED)
                return -errno;
        *ret = page;
        return 0;
}

void page_free(Page *page)
{
        if (page)
                (void)munmap(page, sizeof(*page));
}

void page_use(Page *page, int bell)
{
        assert(page && bell >= 0);
        own.page = page;
        own.bell = bell;
        own.slot = &page->slots[0];
}

static void page_ring(void)
{
        (void)eventfd_write(own.bell, 1);
}

/* Rings the bell at the first change after page_listen(), which sets has_changed to false. Most of
 * the time, has_changed is already true, and this function only reads it. */
static void page_note_change(Page *page)
{
        if (!page->has_changed && !atomic_exchange(&page->has_changed, true))
                page_ring();
}

/* While the gate is barred, the supervisor waits until no connection is in hand, so each call rings
 * the bell. */
void page_let_go(void)
{
        own.slot->n_in_hand--;
        if (own.page->is_barred)
                page_ring();
}

static void page_raise(_Atomic uint64_t *number, uint64_t least)
{
        uint64_t old = *number;

        while (old < least && !atomic_compare_exchange_weak(number, &old, least))
                ;
}

void page_join(pid_t pid)
{
        assert(own.page);
        own.slot = &own.page->slots[0];
        page_raise(&own.page->n_used, 1);
        for (size_t i = 1; i < SLOTS; i++) {
                pid_t nobody = 0;

                if (atomic_compare_exchange_strong(&own.page->slots[i].pid, &nobody, pid)) {
                        own.slot = &own.page->slots[i];
                        page_raise(&own.page->n_used, i + 1);
                        break;
                }
        }
        page_ring();
}

/* The customer can write any number into the page, so this function limits the number. */
static size_t page_slots_used(const Page *page)
{
        const uint64_t n = page->n_used;

        return n < SLOTS ? n : SLOTS;
}

void page_leave(Page *page, pid_t pid, uint64_t now_usec)
{
        PageSlot *gone = &page->slots[0];

        for (size_t i = 1; i < page_slots_used(page); i++) {
                PageSlot *slot = &page->slots[i];

                if (slot->pid != pid)
                        continue;
                page_raise(&gone->last_usec, slot->last_usec);
                page_raise(&gone->ended_usec, slot->n_open > 0 ? now_usec : slot->ended_usec);
                gone->n_handoffs += atomic_exchange(&slot->n_handoffs, 0);
                gone->n_requests += atomic_exchange(&slot->n_requests, 0);
                slot->last_usec = 0;
                slot->ended_usec = 0;
                slot->n_open = 0;
                slot->n_in_hand = 0;
                slot->pid = 0;
                page_ring();
                page_note_change(page);
        }
}

size_t page_find_joined(const Page *page, pid_t ret[], size_t max)
{
        size_t n = 0;

        for (size_t i = 1; n < max && i < page_slots_used(page); i++)
                if (page->slots[i].pid > 0)
                        ret[n++] = page->slots[i].pid;
        return n;
}

/* This process increments n_in_hand before it reads is_barred, and the supervisor bars the gate
 * before it reads n_in_hand. So either this process sees that the gate is barred, or the supervisor
 * sees the connection in hand. */
bool page_reach(void)
{
        own.slot->n_in_hand++;
        if (!own.page->is_barred)
                return true;
        page_let_go();
        return false;
}

void page_opened(uint64_t now_usec)
{
        own.slot->n_open++;
        own.slot->n_handoffs++;
        own.slot->last_usec = now_usec;
        page_note_change(own.page);
}

void page_ended(uint64_t now_usec)
{
        own.slot->ended_usec = now_usec;
        own.slot->n_open--;
        page_note_change(own.page);
}

void page_requested(void)
{
        own.slot->n_requests++;
        page_note_change(own.page);
}

void page_bar(Page *page, bool barred)
{
        page->is_barred = barred;
}

void page_set_others(Page *page, uint64_t others)
{
        page->others = others;
}

uint64_t page_others(const Page *page)
{
        return page->others;
}

bool page_has_changed(const Page *page)
{
        return page->has_changed;
}

void page_listen(Page *page)
{
        page->has_changed = false;
}

void page_add(const Page *page, PageSum *sum)
{
        for (size_t i = 0; i < page_slots_used(page); i++) {
                const PageSlot *slot = &page->slots[i];

                sum->n_handoffs += slot->n_handoffs;
                sum->n_requests += slot->n_requests;
                sum->n_open += slot->n_open;
                sum->n_in_hand += slot->n_in_hand;
                sum->last_usec = MAX(sum->last_usec, slot->last_usec);
                sum->ended_usec = MAX(sum->ended_usec, slot->ended_usec);
        }
}
