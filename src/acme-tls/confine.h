/* SPDX-License-Identifier: MIT */
/* bellhop-acme-tls serves unknown clients, and runs as the same user as bellhop-acme. But
 * bellhop-acme has the keys of its accounts at certificate authorities. So bellhop-acme-tls uses
 * Landlock to deny itself access to the files and memory of bellhop-acme, also through /proc. */
#pragma once

#define CONFINE_UNKNOWN 1 /* the kernel has no Landlock */

/* After this call, the process can read only files below challenges_dir and its own files in /proc.
 * It can change no file, and trace no process. Returns 0, CONFINE_UNKNOWN or a negative errno. */
int confine(const char *challenges_dir);
