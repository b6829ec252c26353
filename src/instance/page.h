/* SPDX-License-Identifier: MIT */
/*
 * The "page": memory that the supervisor (bellhop-instance) shares with the processes of a server.
 * The processes count their connections in the page, each process in its own slot. They receive
 * hand-offs only while the gate, a flag in the page, is open (not barred). A connection is "in
 * hand" from just before a process receives it until a worker takes it. To wake the supervisor, the
 * processes "ring the bell": they write to an eventfd(2).
 *
 * The customer can write to the page, so nothing outside the instance trusts it. Only page_new()
 * and page_open() can fail or allocate memory. No function logs or locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Names of the descriptors that a server inherits, in $LISTEN_FDNAMES: see sd_listen_fds(3). */
#define PAGE_HANDOFF_NAME "handoff"
#define PAGE_FD_NAME      "page"
#define PAGE_BELL_NAME    "bell"
#define PAGE_LINES_NAME   "lines"
#define PAGE_CONF_NAME    "conf" /* the configuration of nginx */

typedef struct Page Page;

typedef struct PageSum {
        uint64_t n_handoffs; /* received since the server was started */
        uint64_t n_requests; /* answered since the server was started */
        uint64_t n_open;     /* open connections, including idle and upgraded ones */
        uint64_t n_in_hand;  /* connections in hand */
        uint64_t last_usec;  /* CLOCK_MONOTONIC of the last hand-off, 0: none yet */
        uint64_t ended_usec; /* CLOCK_MONOTONIC of the last end of a connection, 0: none yet */
} PageSum;

/* Makes a page of zeros. Returns its descriptor or a negative errno; the caller owns the descriptor
 * and *ret. */
int page_new(Page **ret);

/* Maps the page in the server; the caller keeps fd. Returns 0, -EINVAL (not a page) or another
 * negative errno. */
int page_open(int fd, Page **ret);

/* Unmaps the page. page may be NULL. */
void page_free(Page *page);

/* Call it once, in the parent of the server's receiving processes. bell: an eventfd(2). The bell
 * rings at the first change of the page after page_listen(), and when a process joins. While the
 * gate is barred, the bell also rings each time a worker takes a connection. */
void page_use(Page *page, int bell);
/* Call it once in each receiving process. Takes a slot for the process. */
void page_join(pid_t pid);
/* Call it in the parent or the supervisor after a process has ended or crashed. Counts the
 * connections of the process as ended. */
void page_leave(Page *page, pid_t pid, uint64_t now_usec);

/* The steps of a connection. A process that has joined calls page_reach() before it receives a
 * hand-off. If page_reach() returns false, the gate is barred, and the process must not receive. If
 * page_reach() returns true but there was nothing to receive, the process calls page_let_go().
 * Otherwise it calls page_opened() for the received connection, then page_let_go() when a worker
 * has taken the connection, and then page_ended() when the connection ends. */
bool page_reach(void);
void page_let_go(void);
void page_opened(uint64_t now_usec);
void page_ended(uint64_t now_usec);
/* Counts an answered request. */
void page_requested(void);

/* Tells the supervisor the value of Instance.others (config/config.h) that the server has read.
 * Call it in the server, before the server reports that it is ready. */
void page_set_others(Page *page, uint64_t others);
uint64_t page_others(const Page *page);

/* Bars or opens the gate. Call it in the supervisor. While the gate is barred, the server receives
 * nothing. Workers still take the connections that are in hand, and the bell rings for each of
 * them. */
void page_bar(Page *page, bool barred);

/* Call both functions in the supervisor. page_has_changed() returns whether counts have changed
 * since page_listen(). The first change after page_listen() rings the bell. */
bool page_has_changed(const Page *page);
void page_listen(Page *page);

/* Call it in the supervisor. Finds the processes that have joined and not left. Returns their
 * number, at most max. */
size_t page_find_joined(const Page *page, pid_t ret[], size_t max);

/* Adds the counts of the page to *sum. If a time in the page is later than the same time in *sum,
 * replaces the time in *sum. */
void page_add(const Page *page, PageSum *sum);
