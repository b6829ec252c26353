/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>

#include "ctl/ask/stale.h"
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

/* The files in it. */
static uint64_t changed_in(const char *folder)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;
        uint64_t last = 0;

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

static uint64_t changed_below(const char *config_dir, const char *name)
{
        _cleanup_free_ char *folder = NULL;

        if (asprintf(&folder, "%s/%s", config_dir, name) < 0) {
                folder = NULL;
                return 0;
        }
        return later(changed_file(folder), changed_in(folder));
}

static uint64_t nsec_of(const struct statx_timestamp *time)
{
        return (uint64_t)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

/* The first start of a server makes the folder of its snippets: that it is there is no change. */
static uint64_t changed_own(const char *config_dir, const char *kind, const char *name,
                            uint64_t *ret_made)
{
        _cleanup_free_ char *folder = NULL;
        struct statx st;
        uint64_t modified;

        *ret_made = 0;
        if (asprintf(&folder, "%s/%s/%s", config_dir, kind, name) < 0) {
                folder = NULL;
                return 0;
        }
        if (statx(AT_FDCWD, folder, 0, STATX_MTIME | STATX_BTIME, &st) < 0)
                return 0;
        modified = nsec_of(&st.stx_mtime);
        if (st.stx_mask & STATX_BTIME)
                *ret_made = nsec_of(&st.stx_btime);
        return later(modified == *ret_made ? 0 : modified, changed_in(folder));
}

uint64_t changed_site(const char *config_dir, const char *name, uint64_t *ret_tls_made)
{
        uint64_t unused;

        return later(changed_own(config_dir, "sites", name, &unused),
                     changed_own(config_dir, "tls", name, ret_tls_made));
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

void server_questions(const char *unit, ServerTimes *times,
                      BusQuestion ret[static SERVER_QUESTIONS])
{
        ret[0] = (BusQuestion){ .interface = "Service",
                                .property = "ExecMainStartTimestamp",
                                .kind = PROPERTY_NUMBER,
                                .ret = &times->started };
        ret[1] = (BusQuestion){ .interface = "Service",
                                .property = "ExecReload",
                                .kind = PROPERTY_LAST_BEGIN,
                                .ret = &times->reloaded };
        for (size_t i = 0; i < SERVER_QUESTIONS; i++)
                (void)snprintf(ret[i].unit, sizeof(ret[i].unit), "%s", unit);
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
