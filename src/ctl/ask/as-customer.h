/* SPDX-License-Identifier: MIT */
/* Calls a function in a child process that has only the rights of a customer. Programs that run as
 * root use this to open files of the customer and to parse their content. */
#pragma once

#include "ctl/ask/access.h"

/* The function to call. *ret_text is NULL at first; the function can set it to a text that the
 * caller frees. Returns a negative errno, or another number whose meaning the function defines. */
typedef int AsCustomerWork(const void *userdata, char **ret_text);

/*
 * Calls work() in a child process with the ids and groups of the customer. The customer can kill
 * the child, but can't trace it. Returns the number that work() returned, and sets *ret_text to a
 * copy of the text from work(), if any; or returns a negative errno. -EFBIG: this text has 1 MiB or
 * more. -ETIMEDOUT: the child took more than a minute, for example because the customer stopped it
 * with SIGSTOP. -ECHILD: the child was killed.
 */
int as_customer_run(const Identity *customer, AsCustomerWork *work, const void *userdata,
                    char **ret_text);
