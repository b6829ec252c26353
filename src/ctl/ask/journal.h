/* SPDX-License-Identifier: MIT */
/* Reads the last lines about one instance in the journal of this machine. Does not log. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Reads the last lines, at most max, into an array that texts_free() frees. Each line begins with
 * its time, and is printable. The oldest line comes first. If refusals is true, reads the lines
 * about connections that the router refused for the instance, with reason, host and client. If
 * refusals is false, reads the messages of the instance's server, systemd and the router, without
 * the log of requests. Returns 0 or a negative errno.
 */
int journal_read(const char *instance, bool refusals, size_t max, char ***ret, size_t *ret_n);
