/* SPDX-License-Identifier: MIT */
/* Waits until a process has written something down in a folder, or is gone. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

typedef struct FolderWatch {
        int changes;
        int process;
} FolderWatch;

/* Files are written under another name and renamed: only that counts as a change. Returns 0 or a
 * negative errno; -ESRCH: there is no such process. Needs folder_watch_done() in either case. */
int folder_watch_init(FolderWatch *watch, const char *folder, pid_t process);

/* Signals the process that is watched, and no other one that has got its number since. */
int folder_watch_signal(const FolderWatch *watch, int number);

/* 0: something has changed. end_usec: CLOCK_MONOTONIC. -ETIMEDOUT; -ESRCH: the process is gone; or
 * another negative errno. */
int folder_watch_wait(const FolderWatch *watch, uint64_t end_usec);

void folder_watch_done(FolderWatch *watch);
