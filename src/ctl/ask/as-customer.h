/* SPDX-License-Identifier: MIT */
/* Lets root do work in a child process that runs as a customer's user. The child opens files with
 * the customer's rights, and parses their content. */
#pragma once

#include "ctl/ask/access.h"

/* The work. *ret_text is NULL at first; the work can set it to a text that the caller frees.
 * Returns a negative errno, or 0 or a positive number with a meaning of its own. */
typedef int AsCustomerWork(const void *userdata, char **ret_text);

/*
 * Calls work() in a child process with the ids and groups of the customer, who can kill the process
 * but can't trace it. Returns the result of work() and its text, of at most 1 MiB; or a negative
 * errno. -ETIMEDOUT: the process took more than a minute, for example after a SIGSTOP by the
 * customer. -ECHILD: the process was killed.
 */
int as_customer_run(const Identity *customer, AsCustomerWork *work, const void *userdata,
                    char **ret_text);
