/* SPDX-License-Identifier: MIT */
/* Reads files that customers may have made. A fifo can't block the caller, and a file that is too
 * large is refused. */
#pragma once

#include <stddef.h>

/* Reads a whole regular file, and adds a NUL. flags is the same as for open_regular(). The caller
 * frees *ret. Returns 0, -EFBIG if the file is larger than size_max, -EINVAL if it is not a regular
 * file, or another negative errno. */
int file_read(const char *path, int flags, size_t size_max, char **ret, size_t *ret_size);
/* Does the same as file_read() for a path that is relative to folder, as for openat(2). */
int file_read_at(int folder, const char *path, int flags, size_t size_max, char **ret,
                 size_t *ret_size);
