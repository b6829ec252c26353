/* SPDX-License-Identifier: MIT */
/* Files that customers may have put there: what is none, or has no end, must do no harm. */
#pragma once

#include <stddef.h>

/* The whole of a regular file, NUL-terminated; -EFBIG when it is larger, -EINVAL when it is none.
 */
int file_read(const char *path, size_t size_max, char **ret, size_t *ret_size);
