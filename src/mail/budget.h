/* SPDX-License-Identifier: MIT */
/* What each customer has sent, in this hour and day, against what they may send; kept in one file
 * that is replaced as a whole, so that a restart forgives nothing. Does not log. */
#pragma once

#include <stdio.h>
#include <time.h>

#include "config/config.h"
#include "config/lines.h"
#include "util/log-limit.h"

#define BUDGET_FILE      "sent"
#define BUDGET_NAME_MAX  32
#define BUDGET_SITES_MAX 20000
#define BUDGET_DAY_SEC   86400

/* Hours and days are those of UTC, by their numbers since 1970. */
typedef struct BudgetSite {
        char name[BUDGET_NAME_MAX];
        uint64_t hour, in_hour; /* messages in that hour */
        uint64_t day, in_day;   /* messages in that day */
        uint64_t recipients_in_day;
        uint64_t n_sent, n_refused; /* messages, ever */
        LogLimit log;               /* of what was refused; not kept */
} BudgetSite;

typedef struct Budget {
        BudgetSite *sites;
        size_t n_sites;
        bool has_changed; /* since it was written */
} Budget;

typedef enum BudgetVerdict {
        BUDGET_FITS,
        BUDGET_HOUR, /* no more this hour */
        BUDGET_DAY,
        BUDGET_RECIPIENTS, /* that day */
} BudgetVerdict;

/* Reads what dir has. Returns 0, also where it has nothing; -EBADMSG: it is damaged; or another
 * negative errno. Start with *budget of zeros. */
int budget_load(Budget *budget, const char *dir);
/* Returns 0 or a negative errno. */
int budget_save(Budget *budget, const char *dir);
void budget_done(Budget *budget);

/* The place of a customer in budget->sites, which stays the same, or a negative errno. */
int budget_find(Budget *budget, const char *name);

/* Charges one message, or one recipient more, if the customer may send it. */
BudgetVerdict budget_charge(Budget *budget, int site, const MailLimits *limits, bool is_recipient,
                            time_t now);
/* A message that has been charged did not go out. */
void budget_refund(Budget *budget, int site, uint64_t n_recipients, time_t charged);

/* Counts a message that has gone out, or was refused since the budget was used up. */
void budget_count(Budget *budget, int site, bool is_sent);

/* A line of the file; false: it is none. Pure. */
bool budget_parse(const Line *line, BudgetSite *ret);
#define BUDGET_LINE_MAX 256
size_t budget_format(const BudgetSite *site, char ret[static BUDGET_LINE_MAX]);
