/* SPDX-License-Identifier: MIT */
/* Lets root work in a process of a customer's user. This process opens files with the customer's
 * rights, and parses their content. */
#pragma once

#include "ctl/ask/access.h"

/* ret_text: text to be freed, or NULL. Returns 0, a positive outcome or a negative errno. */
typedef int AsCustomerWork(const void *userdata, char **ret_text);

/*
 * Calls work() in a child process with the ids and groups of the customer, who can kill the process
 * but can't trace it. Returns the result of work() and its text, of at most 1 MiB; or a negative
 * errno. -ETIMEDOUT: the process took more than a minute, for example after a SIGSTOP by the
 * customer. -ECHILD: the process was killed.
 */
int as_customer_run(const Identity *customer, AsCustomerWork *work, const void *userdata,
                    char **ret_text);
