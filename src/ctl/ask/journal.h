/* SPDX-License-Identifier: MIT */
/* Reads the last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns the last lines, at most max, for texts_free(). Each line begins with its time, and is
 * printable. The oldest line comes first. refusals true: lines about connections that the router
 * refused for the instance, with reason, host and client. False: messages of the instance's server,
 * systemd and the router, without the log of requests. Returns 0 or a negative errno.
 */
int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n);
