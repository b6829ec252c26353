/* SPDX-License-Identifier: MIT */
/*
 * The shared page of a server: counts of received and open connections of its processes, and the
 * gate through which they receive. It belongs to the customer, so nothing outside the instance
 * trusts it. Except page_new() and page_open(), nothing here allocates, fails, logs or locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Descriptors that a server inherits: FileDescriptorName= of systemd.socket(5). */
#define PAGE_HANDOFF_NAME "handoff"
#define PAGE_FD_NAME      "page"
#define PAGE_BELL_NAME    "bell"
#define PAGE_LINES_NAME   "lines"
#define PAGE_CONF_NAME    "conf" /* of nginx: its configuration */

typedef struct Page Page;

typedef struct PageSum {
        uint64_t n_handoffs; /* received since the server was started */
        uint64_t n_requests; /* answered since the server was started */
        uint64_t n_open;     /* connections, idle and upgraded ones included */
        uint64_t n_in_hand;  /* a process is about to receive, or a worker has yet to take it */
        uint64_t last_usec;  /* CLOCK_MONOTONIC of the last hand-off, 0: none yet */
        uint64_t ended_usec; /* CLOCK_MONOTONIC of the last end of a connection, 0: none yet */
} PageSum;

/* Makes a page of zeros. Returns its descriptor or a negative errno; the caller owns the descriptor
 * and *ret. */
int page_new(Page **ret);

/* Maps it in the server; the caller keeps fd. 0, -EINVAL (not a page) or a negative errno. */
int page_open(int fd, Page **ret);

/* Takes NULL. */
void page_free(Page *page);

/* In the server, once, in the parent of the processes that receive. bell: an eventfd(2). It is
 * written to when the page has changed after page_listen(), when a process joins, and while the
 * gate is barred. */
void page_use(Page *page, int bell);
/* In a process that receives, once: takes a slot. */
void page_join(pid_t pid);
/* In the parent or the supervisor, when a process has ended in any way: its connections ended with
 * it. */
void page_leave(Page *page, pid_t pid, uint64_t now_usec);

/* The steps of a connection in a process that has joined: page_reach(); page_let_go() if nothing
 * was received; otherwise page_opened(), page_let_go() when a worker has the connection, and
 * page_ended(). page_reach() returns false, with nothing in hand, if the gate is barred. */
bool page_reach(void);
void page_let_go(void);
void page_opened(uint64_t now_usec);
void page_ended(uint64_t now_usec);
/* A request has been answered. */
void page_requested(void);

/* In the server, before it is ready: sets the Instance.others that the server has read. */
void page_set_others(Page *page, uint64_t others);
uint64_t page_others(const Page *page);

/* In the supervisor. While the gate is barred, the server receives nothing; workers still take
 * connections in hand, and the bell rings for each. */
void page_bar(Page *page, bool barred);

/* In the supervisor: whether numbers have changed since page_listen(); the first change rings. */
bool page_has_changed(const Page *page);
void page_listen(Page *page);

/* In the supervisor: processes that have joined and not left. Returns their number, at most max. */
size_t page_find_joined(const Page *page, pid_t ret[], size_t max);

/* Adds the values of the page to *sum. */
void page_add(const Page *page, PageSum *sum);
