/* SPDX-License-Identifier: MIT */
/* Waits for answers that are files in a folder. A process can answer a signal in this way. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Signals a process, then calls look() for each file that is renamed into the folder, until look()
 * returns positive (found) or a negative errno; 0 means not yet. Returns 0, -ETIMEDOUT at end_usec
 * (CLOCK_MONOTONIC), -ESRCH if the process has ended, or another negative errno. */
int folder_watch(const char *folder, pid_t process, int number, uint64_t end_usec,
                 int (*look)(void *userdata), void *userdata);

/* Calls look() at once, then in the same way for each file that is renamed into the folder; signals
 * no process. */
int folder_wait(const char *folder, uint64_t end_usec, int (*look)(void *userdata), void *userdata);
