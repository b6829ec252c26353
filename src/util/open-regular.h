/* SPDX-License-Identifier: MIT */
/* Safely opens a file that another user may have made. Opening a device, a fifo or a file of the
 * kernel can block or have effects, even if nothing is read from it. */
#pragma once

#include <sys/stat.h>

/*
 * Opens a regular file to read. folder: as for openat(2). flags: O_NOFOLLOW, or 0 to follow links.
 * Returns the descriptor, with the file's status in *ret; -EINVAL: it is not a regular file, or
 * empty, as most of the kernel's own files are; or another negative errno.
 */
int open_regular(int folder, const char *path, int flags, struct stat *ret);
