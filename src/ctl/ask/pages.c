/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "ctl/ask/pages.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

/* The search follows no link, and does not enter another file system, because the server of a
 * network file system may not answer. */
#define RESOLVE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

typedef struct Walk {
        const Identity *who;
        const char *root;
        int root_fd;
        size_t max;
        uint64_t end_nsec;
        char **folders; /* found folders: paths below the root, in the order of the search */
        size_t n;
        FILE *htaccess;
        Pages *pages;
} Walk;

/* Opens a folder. folder: its path below the document root; "": the document root itself. */
static int pages_open_folder(const Walk *walk, const char *folder)
{
        const struct open_how how = {
                .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                .resolve = RESOLVE,
        };
        const long fd =
                syscall(SYS_openat2, walk->root_fd, folder[0] ? folder : ".", &how, sizeof(how));

        return fd < 0 ? -errno : (int)fd;
}

static bool pages_is_first(const char *folder, const char *name)
{
        return !folder[0] && strncmp(name, "index.", strlen("index.")) == 0;
}

/* Whether the customer has probably removed the rights to a folder or page on purpose, not by
 * mistake. This is assumed of each page that the customer owns, except the first page, and of each
 * folder that the customer owns but whose mode gives them no rights. */
static bool pages_is_meant(const Walk *walk, const char *folder, const char *name,
                           const struct stat *st)
{
        if (st->st_uid != walk->who->uid)
                return false;
        return S_ISDIR(st->st_mode) ? (st->st_mode & 0700) == 0 : !pages_is_first(folder, name);
}

static void pages_note_closed(const Walk *walk, int fd, const char *folder, const char *name)
{
        ClosedPages *closed = &walk->pages->closed;
        const bool is_first = pages_is_first(folder, name);
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            pages_is_meant(walk, folder, name, &st))
                return;
        if (closed->n++ > 0 && (closed->is_first || !is_first))
                return;
        closed->is_first = is_first;
        closed->stat = st;
        (void)snprintf(closed->path, sizeof(closed->path), "%s/%s%s%s", walk->root, folder,
                       folder[0] ? "/" : "", name);
}

static bool pages_lacks(int fd, const char *name, int mode)
{
        return faccessat(fd, name, mode, AT_EACCESS | AT_SYMLINK_NOFOLLOW) < 0 && errno == EACCES;
}

static int pages_note_folder(Walk *walk, int fd, const char *folder, const char *name)
{
        char path[PATH_MAX];

        if (pages_lacks(fd, name, X_OK)) {
                pages_note_closed(walk, fd, folder, name);
                return 0;
        }
        if (snprintf(path, sizeof(path), "%s%s%s", folder, folder[0] ? "/" : "", name) >=
            (int)sizeof(path))
                return 0;
        return texts_append(&walk->folders, &walk->n, path);
}

static int pages_note_app(Walk *walk, const char *folder)
{
        _cleanup_free_ char *path = text_format("%s/%s", walk->root, folder);

        return path ? texts_append(&walk->pages->apps, &walk->pages->n_apps, path) : -ENOMEM;
}

static int pages_note_file(Walk *walk, int fd, const char *folder, const char *name)
{
        const bool is_index = strcmp(name, "index.php") == 0, is_first = is_index && !folder[0];
        Pages *pages = walk->pages;

        if ((is_first || !pages->php[0]) &&
            (text_ends_with(name, ".php") || text_ends_with(name, ".phar"))) {
                pages->php_is_first = is_first;
                (void)snprintf(pages->php, sizeof(pages->php), "%s/%s%s%s", walk->root, folder,
                               folder[0] ? "/" : "", name);
        }
        if (pages_lacks(fd, name, R_OK))
                pages_note_closed(walk, fd, folder, name);
        return is_index && folder[0] && !strchr(folder, '/') ? pages_note_app(walk, folder) : 0;
}

static unsigned char pages_type(int fd, const struct dirent *entry)
{
        struct stat st;

        if (entry->d_type != DT_UNKNOWN)
                return entry->d_type;
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return DT_UNKNOWN;
        return IFTODT(st.st_mode);
}

static int pages_note(Walk *walk, int fd, const char *folder, const struct dirent *entry)
{
        const char *name = entry->d_name;
        unsigned char type;

        if (strcmp(name, ".htaccess") == 0) {
                (void)fprintf(walk->htaccess, "%s%s%s%c", walk->root, folder[0] ? "/" : "", folder,
                              0);
                return 0;
        }
        /* Hidden files are not pages, except those in .well-known (RFC 8615). */
        if (name[0] == '.' && strcmp(name, ".well-known") != 0)
                return 0;
        type = pages_type(fd, entry);
        if (type == DT_DIR)
                return pages_note_folder(walk, fd, folder, name);
        return type == DT_REG ? pages_note_file(walk, fd, folder, name) : 0;
}

static int pages_look_into(Walk *walk, const char *folder)
{
        const int fd = pages_open_folder(walk, folder);
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        const struct dirent *entry;
        int r = 0;

        if (!dir) {
                /* A folder that can't be listed is not a mistake: pages in it can still be
                 * requested. */
                close_fd(fd);
                return 0;
        }
        while (r == 0 && (entry = readdir(dir))) {
                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                if (walk->pages->n_seen == walk->max ||
                    clock_nsec(CLOCK_MONOTONIC) >= walk->end_nsec) {
                        walk->pages->is_cut = true;
                        break;
                }
                walk->pages->n_seen++;
                r = pages_note(walk, fd, folder, entry);
        }
        (void)closedir(dir);
        return r;
}

static int pages_walk(Walk *walk)
{
        int r = pages_look_into(walk, "");

        for (size_t i = 0; r == 0 && i < walk->n && !walk->pages->is_cut; i++)
                r = pages_look_into(walk, walk->folders[i]);
        texts_free(walk->folders, walk->n);
        return r;
}

uint64_t pages_seconds(size_t max)
{
        return 10 + (max < UINT32_MAX ? max : UINT32_MAX) / 500;
}

int pages_look(const Identity *who, const char *root, size_t max, uint64_t end_nsec, Pages *ret)
{
        /* Opens the root with our own rights. With the user's rights, this could fail at a folder
         * that the instance's sandbox replaces. */
        _cleanup_close_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        Walk walk = { .who = who,
                      .root = root,
                      .root_fd = fd,
                      .max = max,
                      .end_nsec = end_nsec,
                      .pages = ret };
        Identity own;
        int r, restored;

        *ret = (Pages){ .n_seen = 0 };
        if (fd < 0)
                return -errno;
        walk.htaccess = open_memstream(&ret->htaccess, &ret->htaccess_size);
        if (!walk.htaccess)
                return -ENOMEM;
        r = access_begin_as(who, &own);
        if (r == 0)
                r = pages_walk(&walk);
        restored = access_end_as(&own);
        if (fclose(walk.htaccess) != 0)
                r = -ENOMEM;
        return r < 0 ? r : restored;
}

void pages_done(Pages *pages)
{
        free(pages->htaccess);
        texts_free(pages->apps, pages->n_apps);
        *pages = (Pages){ .n_seen = 0 };
}
