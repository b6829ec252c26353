/* SPDX-License-Identifier: MIT */
/* Reads the figures that bellhop-usage writes, in one file for each month. */
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

/* Makes bellhop-usage write its counts, then reads them. month: one month, or NULL for all. name:
 * NULL for all instances, or the name of one. The figures of removed instances that had this name
 * are included. Returns 0 or a negative errno. *ret_path is always to be freed; after an error, it
 * is the file or folder that can't be read. */
int used_list_load(const Ctl *ctl, const char *month, const char *name, UsedList *ret,
                   char **ret_path);
void used_list_done(UsedList *list);

/* Makes bellhop-usage close the account of an instance, so that no later instance inherits the
 * account. Returns 0; -EAGAIN: bellhop-usage is not running, and closes the account at its next
 * start; or another negative errno. */
int used_end_account(const Ctl *ctl, const char *name);
