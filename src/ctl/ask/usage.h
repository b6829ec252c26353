/* SPDX-License-Identifier: MIT */
/* The figures of bellhop-usage: a file for each month. */
#pragma once

#include "ctl/ctl.h"
#include "usage/account.h"

typedef struct Used {
        Account account;
        char month[MONTH_NAME_MAX];
        bool is_complete;
} Used;

typedef struct UsedList {
        Used *used; /* sorted by month and name */
        size_t n;
        bool runs; /* bellhop-usage is running */
} UsedList;

/* Has bellhop-usage write its counts, then reads them. month: NULL for all. name: NULL for all;
 * otherwise that instance and removed ones that had its name. Returns 0 or a negative errno.
 * *ret_path, to be freed, is then the file or folder that can't be read. */
int used_list_load(const Ctl *ctl, const char *month, const char *name, UsedList *ret,
                   char **ret_path);
void used_list_done(UsedList *list);

/* Has bellhop-usage close the account of an instance, so no later instance inherits it. Returns 0;
 * -EAGAIN: bellhop-usage is not running, and closes the account when it is started; or another
 * negative errno. */
int used_end_account(const Ctl *ctl, const char *name);
