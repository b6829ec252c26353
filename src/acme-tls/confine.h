/* SPDX-License-Identifier: MIT */
/* bellhop-acme, which has the accounts, runs as the same user, and strangers speak to this process:
 * Landlock keeps it from that one's files and memory, also by /proc. */
#pragma once

#define CONFINE_UNKNOWN 1 /* the kernel has no Landlock */

/* From here on, this process opens no file but to read below that folder, and traces nobody.
 * Returns 0, CONFINE_UNKNOWN or a negative errno. */
int confine(const char *challenges_dir);
