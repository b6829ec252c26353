/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include "util/cleanup.h"
#include "util/open-regular.h"

/* The files that the kernel makes, as in /proc, look regular, but opening or reading some of them
 * has effects on the whole machine. Most of these files have size 0. The others are in sysfs, or
 * belong to a device (/proc/bus/pci). */
static bool open_is_harmless(int fd, const struct stat *st)
{
        struct statfs fs;

        return S_ISREG(st->st_mode) && st->st_size > 0 && fstatfs(fd, &fs) == 0 &&
               fs.f_type != SYSFS_MAGIC && fs.f_type != PROC_SUPER_MAGIC;
}

int open_regular(int folder, const char *path, int flags, struct stat *ret)
{
        /* O_PATH only finds the file, so the kernel does not call the driver of a device. From here
         * on, nobody can replace the found file by another. */
        _cleanup_close_ int place = openat(folder, path, O_PATH | O_CLOEXEC | flags);
        char self[32];
        int fd;

        if (place < 0 || fstat(place, ret) < 0)
                return -errno;
        if (S_ISLNK(ret->st_mode))
                return -ELOOP;
        if (!open_is_harmless(place, ret))
                return -EINVAL;
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", place);
        /* With O_NONBLOCK, this does not wait for another process that has a lease on the file. */
        fd = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fd < 0 ? -errno : fd;
}
