/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "config/names.h"
#include "usage/group.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SLICE "/bellhop.slice"

/* Instances with Network=yes are in a slice below SLICE. All other instances are directly in
 * SLICE. */
static const char *const inner[] = { "bellhop-network.slice/", "" };

/* Where the kernel shows the processor time of a systemd unit: one row for cgroup v2, and one for
 * each of two layouts of cgroup v1. `slice` is the folder that contains the control groups of
 * units, and `file` is the file with the processor time in the folder of a group. In this file, the
 * number follows the text `before`; multiplied by `nsec`, it is in nanoseconds. */
static const struct {
        const char *slice, *file, *before;
        uint64_t nsec;
} places[] = {
        { "/sys/fs/cgroup" SLICE, "cpu.stat", "usage_usec ", 1000 },
        { "/sys/fs/cgroup/cpu,cpuacct" SLICE, "cpuacct.usage", "", 1 },
        { "/sys/fs/cgroup/cpuacct" SLICE, "cpuacct.usage", "", 1 },
};

/* Reads a small file of the kernel. */
static int group_read_file(int folder, const char *name, char ret[static PATH_MAX])
{
        _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
        const ssize_t n = fd < 0 ? -1 : read(fd, ret, PATH_MAX - 1);

        if (n < 0)
                return -errno;
        ret[n] = 0;
        return 0;
}

static int group_read_number(size_t place, int folder, uint64_t *ret)
{
        char text[PATH_MAX], *at;
        uint64_t n;
        int r = group_read_file(folder, places[place].file, text);

        if (r < 0)
                return r;
        at = strstr(text, places[place].before);
        if (!at)
                return -EPROTO;
        at += strlen(places[place].before);
        at[strcspn(at, "\n")] = 0;
        if (!text_number(span_from_string(at), UINT64_MAX / 1000, &n))
                return -EPROTO;
        *ret = n * places[place].nsec;
        return 0;
}

static int group_read_at(size_t place, int slice, const char *unit, uint64_t *ret_group,
                         uint64_t *ret_nsec)
{
        _cleanup_close_ int folder = openat(slice, unit, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct stat st;

        if (folder < 0 || fstat(folder, &st) < 0)
                return -errno;
        *ret_group = st.st_ino;
        return group_read_number(place, folder, ret_nsec);
}

/* Opens the first folder `slice` in the table places that exists on this machine. *ret_place is the
 * index of its row. */
static int group_open_slice(size_t *ret_place)
{
        for (size_t i = 0; i < ELEMENTSOF(places); i++) {
                const int slice = open(places[i].slice, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                *ret_place = i;
                if (slice >= 0)
                        return slice;
        }
        return -ENOENT;
}

int group_read(const char *instance, uint64_t *ret_group, uint64_t *ret_nsec)
{
        char unit[NAME_UNIT_MAX];
        size_t place;
        _cleanup_close_ int slice = group_open_slice(&place);
        int r = -ENOENT;

        if (slice < 0)
                return slice;
        (void)name_unit(NAME_SERVICE_UNIT, instance, unit);
        for (size_t i = 0; r == -ENOENT && i < ELEMENTSOF(inner); i++) {
                _cleanup_free_ char *path = text_format("%s%s", inner[i], unit);

                r = path ? group_read_at(place, slice, path, ret_group, ret_nsec) : -ENOMEM;
        }
        return r;
}

/* Reads the groups in one slice. slice is a descriptor of the slice's folder; this function closes
 * it. */
static int group_read_slice_consume(size_t place, int slice,
                                    void (*on_group)(void *userdata, const char *instance,
                                                     uint64_t group, uint64_t nsec),
                                    void *userdata)
{
        char instance[NAME_UNIT_MAX];
        DIR *folder = slice < 0 ? NULL : fdopendir(slice);
        struct dirent *entry;
        uint64_t group, nsec;

        if (!folder) {
                close_fd(slice);
                return -ENOMEM;
        }
        while ((entry = readdir(folder)))
                if (name_from_unit(NAME_SERVICE_UNIT, entry->d_name, instance) &&
                    group_read_at(place, slice, entry->d_name, &group, &nsec) == 0)
                        on_group(userdata, instance, group, nsec);
        (void)closedir(folder);
        return 0;
}

int group_read_all(void (*on_group)(void *userdata, const char *instance, uint64_t group,
                                    uint64_t nsec),
                   void *userdata)
{
        size_t place;
        _cleanup_close_ int slice = group_open_slice(&place);
        int r = slice < 0 ? slice : 0;

        for (size_t i = 0; r == 0 && i < ELEMENTSOF(inner); i++) {
                const int fd = openat(slice, inner[i][0] ? inner[i] : ".",
                                      O_RDONLY | O_DIRECTORY | O_CLOEXEC);

                /* A slice exists only after an instance has started in it, so a missing slice is
                 * not an error. */
                if (fd >= 0)
                        r = group_read_slice_consume(place, fd, on_group, userdata);
        }
        return r;
}

bool group_has(const char *instance, int pid)
{
        char path[64], text[PATH_MAX], unit[NAME_UNIT_MAX];
        bool found = false;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        if (group_read_file(AT_FDCWD, path, text) < 0)
                return false;
        (void)name_unit(NAME_SERVICE_UNIT, instance, unit);
        for (size_t i = 0; !found && i < ELEMENTSOF(inner); i++) {
                _cleanup_free_ char *own = text_format(SLICE "/%s%s\n", inner[i], unit);

                found = own && strstr(text, own);
        }
        return found;
}
