/* SPDX-License-Identifier: MIT */
/* Waits until a certain file appears in a folder, for example when a process answers a signal by
 * writing that file. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/* Sends the signal `number` to a process. Then calls look() whenever files were renamed into the
 * folder. look() returns a positive number if it has found the file, 0 to continue to wait, or a
 * negative errno. folder_watch() returns 0 if the file was found, -ETIMEDOUT at end_usec
 * (CLOCK_MONOTONIC), -ESRCH if the process has ended, or another negative errno. */
int folder_watch(const char *folder, pid_t process, int number, uint64_t end_usec,
                 int (*look)(void *userdata), void *userdata);

/* Does the same as folder_watch(), but without a process: calls look() at once, then whenever files
 * were renamed into the folder. */
int folder_wait(const char *folder, uint64_t end_usec, int (*look)(void *userdata), void *userdata);
