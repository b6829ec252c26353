/* SPDX-License-Identifier: MIT */
/* Reads the usage figures of instances, which bellhop-usage writes into one file for each month. An
 * account is the figures of one instance. */
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

/* Makes bellhop-usage write its newest figures, then reads the files. month: one month, or NULL for
 * all months. name: the name of one instance, or NULL for all; removed instances that had this name
 * are included. Returns 0 or a negative errno. *ret_path: after an error, the file or folder that
 * can't be read; always to be freed. */
int used_list_load(const Ctl *ctl, const char *month, const char *name, UsedList *ret,
                   char **ret_path);
void used_list_done(UsedList *list);

/* Makes bellhop-usage close the account of an instance, so that a later instance with the same name
 * gets a new account. Returns 0 or a negative errno; -EAGAIN if bellhop-usage is not running: it
 * then closes the account at its next start. */
int used_end_account(const Ctl *ctl, const char *name);
