/* SPDX-License-Identifier: MIT */
/* The last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * The last lines, at most max, for texts_free(): with the time in front, printable, the oldest
 * first. refusals: connections that the router refused for the instance, with reason, host and
 * client; otherwise messages of its server, systemd and the router, without the log of requests.
 * Returns 0 or a negative errno.
 */
int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n);
