/* SPDX-License-Identifier: MIT */
/* Safely opens a file that another user may have made. Opening a device, a fifo or a file of the
 * kernel can block or have effects, even if nothing is read from it. */
#pragma once

#include <sys/stat.h>

/*
 * Opens a regular file for reading. folder is the same as for openat(2); flags is O_NOFOLLOW, or 0
 * to follow links. Returns the descriptor, -EINVAL if the file is not regular, is empty or is one
 * of the kernel's own files, or another negative errno. *ret gets the status of the file, also with
 * -EINVAL.
 */
int open_regular(int folder, const char *path, int flags, struct stat *ret);
