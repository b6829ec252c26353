/* SPDX-License-Identifier: MIT */
/* What each instance has used this month, and which connections are open: in memory, and in a file
 * for each month that is replaced as a whole. Does not log. */
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
        uint32_t *index; /* places of accounts by the hash of their names, from 1; 0: free */
        size_t n_index;
        OpenTable open;
        size_t n_orphans;  /* in open: ended, and nobody's yet */
        uint32_t stamp;    /* ledger_tick() counts it */
        bool is_new;       /* nothing was kept: what ran before is not ours to count */
        uint64_t n_missed; /* what found no room */
} Ledger;

/* Reads what was kept in dir, and locks it. boot: which one this is. -EBUSY: another process has
 * the lock; -EBADMSG: the file of this month is damaged. Start with *ledger of zeros and the
 * limits. */
int ledger_open(Ledger *ledger, const char *dir, const char *boot, time_t now);
void ledger_done(Ledger *ledger);

/* Which socket the kernel's messages come by: what an earlier one had is lost. */
void ledger_use_socket(Ledger *ledger, uint64_t socket);

/* Something could not be counted: the figures of the month are not complete. */
void ledger_lose(Ledger *ledger);

/* n_received: bytes that the connection had received by then, or fewer. */
void ledger_hand_off(Ledger *ledger, uint64_t cookie, const char *name, uint64_t n_received);
/* What the kernel says of one that is open, and of one that has ended. */
void ledger_see(Ledger *ledger, const DiagMessage *message);
void ledger_end(Ledger *ledger, const DiagMessage *message);

void ledger_add_cpu(Ledger *ledger, const char *name, uint64_t group, uint64_t nsec);
/* Whether the last requests of the instance were reported by that process. */
bool ledger_is_reporter(const Ledger *ledger, const char *name, uint64_t reporter);
void ledger_add_requests(Ledger *ledger, const char *name, uint64_t reporter, uint64_t n);

/* The customer has gone: what is counted so far, in all months, goes by a name of its own. Returns
 * 0 or a negative errno. */
int ledger_close_account(Ledger *ledger, const char *name, time_t now);

/* Forgets what has not been seen for long, and begins a new month. */
int ledger_tick(Ledger *ledger, time_t now);
/* Returns 0 or a negative errno. */
int ledger_save(Ledger *ledger, bool is_running);
