/* SPDX-License-Identifier: MIT */
/* Reads the last lines about one instance from the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads the last lines, at most max, into an array that texts_free() frees. Each line begins with
 * its time. The oldest line comes first. If refusals is true, reads the lines that the router wrote
 * when it refused connections to the instance: each has the reason, the host and the client. If
 * refusals is false, reads the messages about the instance from its server, systemd and the router,
 * but not the log of requests. Returns 0 or a negative errno.
 */
int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n);
