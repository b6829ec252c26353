/* SPDX-License-Identifier: MIT */
/* A signal has no answer, but the process may write one down in a folder. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * Signals a process, and calls look() each time that it has written something, until look() says
 * so: positive, that was it; 0, not yet; or a negative errno. Files are written under another name
 * and renamed: only that counts. Returns 0; -ETIMEDOUT at end_usec (CLOCK_MONOTONIC); -ESRCH when
 * the process is gone; or another negative errno.
 */
int folder_watch(const char *folder, pid_t process, int number, uint64_t end_usec,
                 int (*look)(void *userdata), void *userdata);
