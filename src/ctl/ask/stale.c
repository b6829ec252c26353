/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>

#include "config/names.h"
#include "ctl/ask/stale.h"
#include "instance/state.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

/* A changed file gets the time of the kernel's last tick. This time is up to 10 ms (CONFIG_HZ=100)
 * earlier than the time that a server reads from its clock. */
#define STALE_TICK_USEC UINT64_C(10000)

static uint64_t stale_later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

uint64_t changed_inode(const struct stat *st)
{
        return (uint64_t)st->st_ctim.tv_sec * NSEC_PER_SEC + (uint64_t)st->st_ctim.tv_nsec;
}

uint64_t changed_file(const char *path)
{
        struct stat st;

        return stat(path, &st) < 0 ? 0 : changed_inode(&st);
}

/* The last change of any file in a folder of root. */
static uint64_t stale_changed_in(const char *folder)
{
        DIR *dir = opendir(folder);
        const struct dirent *entry;
        uint64_t last = 0;
        struct stat st;

        while (dir && (entry = readdir(dir)))
                if (entry->d_name[0] != '.' && fstatat(dirfd(dir), entry->d_name, &st, 0) == 0)
                        last = stale_later(last, changed_inode(&st));
        if (dir)
                (void)closedir(dir);
        return last;
}

uint64_t changed_below(const char *dir, const char *name)
{
        _cleanup_free_ char *path = text_format("%s/%s", dir, name);

        return path ? stale_later(changed_file(path), stale_changed_in(path)) : 0;
}

uint64_t changed_router(const char *config_dir)
{
        return stale_later(changed_below(config_dir, "instances"),
                           stale_later(changed_below(config_dir, "router.conf.d"),
                                       changed_below(config_dir, "router.conf")));
}

static uint64_t stale_nsec(const struct statx_timestamp *time)
{
        return (uint64_t)time->tv_sec * NSEC_PER_SEC + time->tv_nsec;
}

/* Returns the time of the last change of the folder itself. Its creation does not count, because
 * bellhopctl add creates empty folders. */
static uint64_t stale_changed_folder(const char *path, uint64_t *ret_made)
{
        struct statx st;
        uint64_t modified;

        if (statx(AT_FDCWD, path, 0, STATX_MTIME | STATX_BTIME, &st) < 0)
                return 0;
        modified = stale_nsec(&st.stx_mtime);
        if (st.stx_mask & STATX_BTIME)
                *ret_made = stale_nsec(&st.stx_btime);
        return modified == *ret_made ? 0 : modified;
}

/* The last change of the certificate and key in a folder. */
static uint64_t stale_changed_pair(int folder)
{
        static const char *const names[] = { "fullchain.pem", "privkey.pem" };
        uint64_t last = 0;
        struct stat st;

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (fstatat(folder, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
                        last = stale_later(last, changed_inode(&st));
        return last;
}

/* The customer owns the folder at path, and can put any number of files and links into it. So this
 * function looks only at the files that the server reads, and follows no link. */
static uint64_t stale_changed_tls(const char *path, const Hosts *hosts)
{
        _cleanup_close_ int folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        uint64_t last = stale_changed_pair(folder);

        for (size_t i = 0; hosts && i < hosts->n_hosts; i++) {
                char name[NAME_HOST_MAX];
                _cleanup_close_ int fd = openat(folder, name_host_folder(hosts->hosts[i], name),
                                                O_PATH | O_NOFOLLOW | O_CLOEXEC);
                struct stat st;

                if (fd >= 0 && fstat(fd, &st) == 0)
                        last = stale_later(last,
                                           stale_later(changed_inode(&st), stale_changed_pair(fd)));
        }
        return last;
}

uint64_t changed_instance(const char *config_dir, const char *name, const Hosts *hosts,
                          uint64_t *ret_made)
{
        _cleanup_free_ char *snippet_dir = name_path(NAME_SNIPPET_DIR, config_dir, name);
        _cleanup_free_ char *tls_dir = name_path(NAME_TLS_DIR, config_dir, name);
        uint64_t snippets_made = 0, tls_made = 0, snippets = 0, tls = 0;

        if (snippet_dir)
                snippets = stale_later(stale_changed_folder(snippet_dir, &snippets_made),
                                       stale_changed_in(snippet_dir));
        if (tls_dir)
                tls = stale_later(stale_changed_folder(tls_dir, &tls_made),
                                  stale_changed_tls(tls_dir, hosts));
        *ret_made = stale_later(tls_made, snippets > 0 ? snippets_made : 0);
        return stale_later(snippets, tls);
}

void document_root_of(const char *name, char ret[static PATH_MAX])
{
        _cleanup_free_ char *home = text_format("/home/%s/public_html", name);
        struct stat st;

        (void)snprintf(ret, PATH_MAX, "/srv/www/%s", name);
        if (home && lstat(ret, &st) < 0 && lstat(home, &st) == 0)
                (void)snprintf(ret, PATH_MAX, "%s", home);
}

uint64_t made_host_folder(const char *document_root, const Hosts *hosts, char ret[static PATH_MAX])
{
        _cleanup_close_ int root = open(document_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        uint64_t last = 0;

        for (size_t i = 0; i < hosts->n_hosts; i++) {
                char folder[NAME_HOST_MAX];
                struct statx made;

                if (statx(root, name_host_folder(hosts->hosts[i], folder), AT_SYMLINK_NOFOLLOW,
                          STATX_TYPE | STATX_BTIME, &made) < 0 ||
                    !(made.stx_mask & STATX_BTIME) || !S_ISDIR(made.stx_mode) ||
                    stale_nsec(&made.stx_btime) <= last)
                        continue;
                last = stale_nsec(&made.stx_btime);
                (void)snprintf(ret, PATH_MAX, "%s/%s", document_root, folder);
        }
        return last;
}

bool is_stale(uint64_t read_nsec, uint64_t changed_nsec)
{
        return read_nsec != UNKNOWN && changed_nsec > 0 && changed_nsec >= read_nsec;
}

/* The earliest time, in nanoseconds, that a file can have if it was changed at usec or later.
 * UNKNOWN: usec is not a known time. */
static uint64_t stale_begin(uint64_t usec)
{
        return usec <= STALE_TICK_USEC || usec > UNKNOWN / 1000 ? UNKNOWN
                                                                : (usec - STALE_TICK_USEC) * 1000;
}

bool has_started_before(uint64_t started_usec, uint64_t changed_nsec)
{
        const uint64_t begin = stale_begin(started_usec);

        return begin == UNKNOWN || is_stale(begin, changed_nsec);
}

ReadFiles stale_read_files(const char *dir)
{
        ReadFiles read = { UNKNOWN, UNKNOWN };
        State state;

        if (!dir || state_read(dir, &state) < 0)
                return read;
        read.nsec = stale_begin(state.read_usec);
        if (read.nsec != UNKNOWN && state.kind != STATE_STARTING)
                read.others = state.others;
        return read;
}

ReadFiles stale_read_files_of(uint64_t pid)
{
        _cleanup_free_ char *dir = state_dir_of(pid, INSTANCE_RUNTIME_DIR);

        return stale_read_files(dir);
}

bool lacks_others(const ReadFiles *read, const Instance *instance)
{
        return read->others != UNKNOWN && read->others != instance->others;
}

void wait_past(uint64_t changed_nsec)
{
        static const struct timespec tick = { .tv_nsec = 1000000 };
        const uint64_t begin = clock_nsec(CLOCK_MONOTONIC);

        /* Waits at most a tenth of a second, because changed_nsec can be far in the future if the
         * clock was set back. */
        while (clock_nsec(CLOCK_REALTIME_COARSE) <= changed_nsec &&
               clock_nsec(CLOCK_MONOTONIC) - begin < NSEC_PER_SEC / 10)
                (void)nanosleep(&tick, NULL);
}
