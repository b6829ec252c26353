/* SPDX-License-Identifier: MIT */
#include <dirent.h>

#include "ctl/behind.h"
#include "util/cleanup.h"
#include "util/clock.h"

static uint64_t later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

uint64_t changed_file(const char *path)
{
        struct stat st;

        if (stat(path, &st) < 0)
                return 0;
        return changed_inode(&st);
}

uint64_t changed_inode(const struct stat *st)
{
        return (uint64_t)st->st_ctim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_ctim.tv_nsec;
}

static uint64_t changed_below(const char *config_dir, const char *name)
{
        _cleanup_free_ char *folder = NULL;
        const struct dirent *entry;
        uint64_t last;
        DIR *dir;

        if (asprintf(&folder, "%s/%s", config_dir, name) < 0) {
                folder = NULL;
                return 0;
        }
        last = changed_file(folder);
        dir = opendir(folder);
        while (dir && (entry = readdir(dir))) {
                _cleanup_free_ char *path = NULL;

                if (entry->d_name[0] == '.')
                        continue;
                if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
                        path = NULL;
                else
                        last = later(last, changed_file(path));
        }
        if (dir)
                (void)closedir(dir);
        return last;
}

uint64_t changed_instances(const char *config_dir)
{
        return changed_below(config_dir, "instances");
}

uint64_t changed_router(const char *config_dir)
{
        _cleanup_free_ char *path = NULL;
        uint64_t last =
                later(changed_instances(config_dir), changed_below(config_dir, "router.conf.d"));

        if (asprintf(&path, "%s/router.conf", config_dir) < 0)
                path = NULL;
        else
                last = later(last, changed_file(path));
        return last;
}

bool is_behind(uint64_t read_nsec, uint64_t changed_nsec)
{
        return changed_nsec > 0 && changed_nsec >= read_nsec;
}

uint64_t server_read(const ServerTimes *times)
{
        return 1000 * later(times->started, times->reloaded);
}

void wait_past(uint64_t changed_nsec)
{
        static const struct timespec tick = { .tv_nsec = 1000000 };
        const uint64_t begin = clock_nsec(CLOCK_MONOTONIC);

        /* No longer: a time in the future is from before the clock was set back. */
        while (clock_nsec(CLOCK_REALTIME_COARSE) <= changed_nsec &&
               clock_nsec(CLOCK_MONOTONIC) - begin < NSEC_PER_SEC / 10)
                (void)nanosleep(&tick, NULL);
}
