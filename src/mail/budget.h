/* SPDX-License-Identifier: MIT */
/* Counts the messages of each customer in this hour and day, and compares the counts with the
 * limits. A message is charged (counted) when it begins. If it is not sent, its charge is undone. A
 * file keeps the counts across restarts, and each write replaces the whole file. Does not log. */
#pragma once

#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "config/config.h"
#include "config/lines.h"
#include "util/log-limit.h"

#define BUDGET_FILE      "sent"
#define BUDGET_NAME_MAX  32
#define BUDGET_SITES_MAX 20000
#define BUDGET_DAY_SEC   86400

/* The counts of one customer. Hours and days are in UTC, numbered from 1970. */
typedef struct BudgetSite {
        char name[BUDGET_NAME_MAX];
        uint64_t hour, in_hour; /* an hour, and the messages in it */
        uint64_t day, in_day;   /* a day, and the messages in it */
        uint64_t recipients_in_day;
        uint64_t n_sent, n_refused; /* all messages so far */
        uint64_t uid;               /* of the customer; 0: unknown */
        LogLimit log;               /* limits log lines about refusals; not in the file */
} BudgetSite;

typedef struct Budget {
        BudgetSite *sites;
        size_t n_sites;
        bool has_changed; /* since the last write */
} Budget;

typedef enum BudgetVerdict {
        BUDGET_FITS,
        BUDGET_HOUR, /* no more messages in this hour */
        BUDGET_DAY,
        BUDGET_RECIPIENTS, /* no more recipients on this day */
} BudgetVerdict;

/* Reads the file in dir. Returns 0 (also if there is no file), -EBADMSG (the file is damaged) or
 * another negative errno. Before the call, *budget must contain zeros. */
int budget_load(Budget *budget, const char *dir);
/* Returns 0 or a negative errno. */
int budget_save(Budget *budget, const char *dir);
void budget_done(Budget *budget);

/* Returns the index of a customer in budget->sites, or a negative errno. Adds a customer who is not
 * there yet. The index never changes. If the counts belong to an earlier customer with the same
 * name and another uid, sets them to 0. */
int budget_find(Budget *budget, const char *name, uid_t uid);

/* Charges one message, or one more recipient, if the customer's limits allow it. */
BudgetVerdict budget_charge(Budget *budget, int site, const MailLimits *limits, bool is_recipient,
                            time_t now);
/* Undoes the charge of a message that was not sent, and of its recipients. charged: the time of the
 * charge. */
void budget_refund(Budget *budget, int site, uint64_t n_recipients, time_t charged);

/* Counts a message that was sent, or was refused because of the limits. */
void budget_count(Budget *budget, int site, bool is_sent);

/* Parses a line of the file. Returns false if the line is not valid. Makes no system calls. */
bool budget_parse(const Line *line, BudgetSite *ret);
#define BUDGET_LINE_MAX 256
size_t budget_format(const BudgetSite *site, char ret[static BUDGET_LINE_MAX]);
