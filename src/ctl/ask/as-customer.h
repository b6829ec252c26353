/* SPDX-License-Identifier: MIT */
/* Work in a process of a customer's user, for root: files are opened with the customer's rights,
 * and what is read from them is parsed there. */
#pragma once

#include "ctl/ask/access.h"

/* ret_text: text to be freed, or NULL. Returns 0, a positive outcome or a negative errno. */
typedef int AsCustomerWork(const void *userdata, char **ret_text);

/*
 * Calls work() in a child process that has the ids and groups of the customer, who can't trace it,
 * and may end it. Returns what work() returns, and its text, of at most 1 MiB. -ETIMEDOUT: it has
 * taken more than a minute, as after a SIGSTOP by the customer. -ECHILD: it was ended. Or another
 * negative errno.
 */
int as_customer_run(const Identity *customer, AsCustomerWork *work, const void *userdata,
                    char **ret_text);
