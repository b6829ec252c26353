/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "ctl/ask/file.h"
#include "util/cleanup.h"

int file_read(const char *path, size_t size_max, char **ret, size_t *ret_size)
{
        /* A fifo without a writer must not hold us up. */
        _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
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
