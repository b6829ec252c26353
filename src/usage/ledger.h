/* SPDX-License-Identifier: MIT */
/* The ledger keeps the usage of each instance in this month, and the open connections. It keeps
 * them in memory, and writes them into the file of the month. Each write replaces the whole file.
 * The owner of a connection is the instance that got it; an orphan is a connection that has ended
 * before the router reported its owner. A tick is a call of ledger_tick(), at a regular interval.
 * Does not log. */
#pragma once

#include <time.h>

#include "usage/account.h"
#include "usage/diag.h"
#include "usage/open.h"

#define LEDGER_LOCK "lock"

typedef struct Ledger {
        int dir_fd, lock_fd;
        char month[MONTH_NAME_MAX];
        MonthHead head;
        Account *accounts;
        size_t n_accounts, accounts_max;
        uint32_t *index; /* hash table by name: 1 + the index of an account; 0: a free place */
        size_t n_index;
        OpenTable open;
        size_t n_orphans; /* orphans in open */
        uint32_t stamp;   /* the number of ticks so far */
        bool is_new; /* there was no file: processor time before the first tick is not counted */
        uint64_t n_missed; /* accounts and connections for which there was no room */
} Ledger;

/* Locks dir, and reads the file of this month in it. If this file does not exist, takes only the
 * open connections and the last seen states (see Account) from the file of the newest month. boot
 * is the id of this boot. Returns 0, -EBUSY if another process has the lock, -EBADMSG if the file
 * is damaged, or another negative errno. Before the call, set accounts_max and open.max, and zeros
 * in all other fields. */
int ledger_open(Ledger *ledger, const char *dir, const char *boot, time_t now);
void ledger_done(Ledger *ledger);

/* Sets the inode of the socket on which the kernel reports ends of connections. If this is another
 * socket than before, the messages in the earlier socket are lost, so the figures of the month are
 * marked as incomplete. */
void ledger_use_socket(Ledger *ledger, uint64_t socket);

/* Marks the figures of the month as incomplete, because something could not be counted. */
void ledger_lose(Ledger *ledger);

/* Records that the connection with this cookie (SO_COOKIE) belongs to the instance. At the
 * hand-off, the connection had received at least n_received bytes. */
void ledger_hand_off(Ledger *ledger, uint64_t cookie, const char *name, uint64_t n_received);
/* Add the bytes that a message of the kernel reports: ledger_see() for an open connection, and
 * ledger_end() for a connection that has ended. */
void ledger_see(Ledger *ledger, const DiagMessage *message);
void ledger_end(Ledger *ledger, const DiagMessage *message);

void ledger_add_cpu(Ledger *ledger, const char *name, uint64_t group, uint64_t nsec);
/* Whether the instance's last report of requests came from the process with the pid reporter. */
bool ledger_is_reporter(const Ledger *ledger, const char *name, uint64_t reporter);
void ledger_add_requests(Ledger *ledger, const char *name, uint64_t reporter, uint64_t n);

/* Call it after a customer was removed. In all months, gives another name to the customer's
 * account, so that a later customer with the same name does not get its counts. Returns 0 or a
 * negative errno. */
int ledger_close_account(Ledger *ledger, const char *name, time_t now);

/* Forgets connections that the kernel has not listed for a long time. Begins a new month if now is
 * in another month. */
int ledger_tick(Ledger *ledger, time_t now);
/* Returns 0 or a negative errno. */
int ledger_save(Ledger *ledger, bool is_running);
