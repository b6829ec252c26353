/* SPDX-License-Identifier: MIT */
#include <fcntl.h>

#include "util/cleanup.h"
#include "util/file.h"
#include "util/open-regular.h"

int file_read(const char *path, int flags, size_t size_max, char **ret, size_t *ret_size)
{
        return file_read_at(AT_FDCWD, path, flags, size_max, ret, ret_size);
}

int file_read_at(int folder, const char *path, int flags, size_t size_max, char **ret,
                 size_t *ret_size)
{
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        struct stat st = { 0 };
        _cleanup_close_ int fd = open_regular(folder, path, flags, &st);

        if (fd < 0 && !(S_ISREG(st.st_mode) && st.st_size == 0))
                return fd;
        if (st.st_size < 0 || (size_t)st.st_size > size_max)
                return -EFBIG;
        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t)st.st_size) {
                const ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                size += n > 0 ? (size_t)n : 0;
        }
        text[size] = 0;
        *ret = take_ptr(text);
        *ret_size = size;
        return 0;
}
