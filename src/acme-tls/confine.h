/* SPDX-License-Identifier: MIT */
/* Unknown clients talk to this process. It runs as the same user as bellhop-acme, which has the
 * accounts at authorities. Landlock denies this process access to files and memory of bellhop-acme,
 * also through /proc. */
#pragma once

#define CONFINE_UNKNOWN 1 /* the kernel has no Landlock */

/* After this, the process can read files only below challenges_dir and about itself, can change no
 * file, and can trace no process. Returns 0, CONFINE_UNKNOWN or a negative errno. */
int confine(const char *challenges_dir);
