/* SPDX-License-Identifier: MIT */
/* The last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Returns at most max lines, the last ones, for texts_free(). Each begins with its time and is
 * printable; the oldest line comes first. refusals: lines about connections that the router refused
 * for the instance, with reason, host and client; otherwise messages of its server, systemd and the
 * router, without the log of requests. Returns 0 or a negative errno.
 */
int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n);
