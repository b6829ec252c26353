/* SPDX-License-Identifier: MIT */
/*
 * Walks along a path. Opens each folder or link on the path, and finally the file, with our own
 * rights and with O_PATH, which gives no access to the content. Opens each of them by the
 * descriptor of its folder, so nobody can replace a folder that was already checked. After each
 * open, asks the kernel whether the user has access to the opened folder or file. Does not ask
 * about folders that the sandbox of an instance replaces, such as /home (ProtectHome=tmpfs).
 */
#include <assert.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>

#include "ctl/ask/access.h"
#include "util/cleanup.h"

#define ACCESS_LINKS_MAX 40 /* the kernel's own limit */

/* The maximum number of parts of the path and of all links on it. Without this limit, a customer
 * could make links with so many parts that one walk would take seconds. */
#define ACCESS_PARTS_MAX 1000

bool identity_of(const char *user, Identity *ret)
{
        const struct passwd *pw = getpwnam(user);

        if (!pw)
                return false;
        *ret = (Identity){ .uid = pw->pw_uid, .gid = pw->pw_gid, .n_groups = ACCESS_GROUPS_MAX };
        /* If the user has more groups than fit into the array, only the first ones count. */
        if (getgrouplist(user, pw->pw_gid, ret->groups, &ret->n_groups) < 0)
                ret->n_groups = ACCESS_GROUPS_MAX;
        return true;
}

typedef struct Walk {
        const Identity *who; /* NULL: check whether only root can change the path */
        const char *const *replaced;
        int mode;
        Access *access;
        int fd;              /* the last opened folder; in the end, the file */
        char path[PATH_MAX]; /* the part that was walked, with all links resolved */
        char rest[PATH_MAX]; /* the part that follows */
        unsigned n_links;
        unsigned n_parts; /* the number of parts that were walked */
} Walk;

static const char *access_path(const Walk *walk)
{
        return walk->path[0] ? walk->path : "/";
}

/* Changes only the ids that count for access to files, so this process keeps its other rights. */
static int access_become(const Identity *who)
{
        if (setgroups((size_t)who->n_groups, who->groups) < 0)
                return -errno;
        (void)setfsgid(who->gid);
        (void)setfsuid(who->uid);
        /* setfsuid() and setfsgid() report no errors. With the invalid id -1, they change nothing,
         * and return the present id. */
        return (gid_t)setfsgid((gid_t)-1) == who->gid && (uid_t)setfsuid((uid_t)-1) == who->uid
                       ? 0
                       : -EPERM;
}

int access_begin_as(const Identity *who, Identity *ret_own)
{
        *ret_own = (Identity){ .uid = geteuid(), .gid = getegid(), .n_groups = -1 };
        if (who->uid == geteuid())
                return 0;
        ret_own->n_groups = getgroups(ACCESS_GROUPS_MAX, ret_own->groups);
        return ret_own->n_groups < 0 ? -errno : access_become(who);
}

int access_end_as(const Identity *own)
{
        return own->n_groups < 0 ? 0 : access_become(own);
}

/* Sets access->error if the user has no access. Returns a negative errno if the kernel can't be
 * asked. */
static int access_judge(Walk *walk, int fd, int mode)
{
        Identity own;
        int r = access_begin_as(walk->who, &own), restored;

        if (r == 0 && faccessat(fd, "", mode, AT_EMPTY_PATH | AT_EACCESS) < 0)
                walk->access->error = -errno;
        restored = access_end_as(&own);
        return r < 0 ? r : restored;
}

/* Removes the last part of the path. */
static void access_go_up(char *path)
{
        char *slash = strrchr(path, '/');

        if (slash)
                *slash = 0;
}

static int access_go_to_root(Walk *walk)
{
        walk->path[0] = 0;
        close_fd(walk->fd);
        walk->fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        return walk->fd < 0 ? -errno : 0;
}

/* Reads the link, puts its target before walk->rest, and removes the link from walk->path. */
static int access_follow(Walk *walk, int link)
{
        char target[PATH_MAX], whole[PATH_MAX];
        const ssize_t size = readlinkat(link, "", target, sizeof(target) - 1);
        int length;

        if (size < 0)
                return -errno;
        if (++walk->n_links > ACCESS_LINKS_MAX)
                return -ELOOP;
        target[size] = 0;
        access_go_up(walk->path);
        length = snprintf(whole, sizeof(whole), "%s/%s", target, walk->rest);
        if (length < 0 || (size_t)length >= sizeof(whole))
                return -ENAMETOOLONG;
        memcpy(walk->rest, whole, (size_t)length + 1);
        return target[0] == '/' ? access_go_to_root(walk) : 0;
}

/* Moves the first part of walk->rest to the end of walk->path, and copies it to *ret. */
static int access_next_part(Walk *walk, char ret[static PATH_MAX])
{
        char *part = walk->rest + strspn(walk->rest, "/");
        const size_t size = strcspn(part, "/"), length = strlen(walk->path);

        if (++walk->n_parts > ACCESS_PARTS_MAX)
                return -ELOOP;
        if (size == 2 && memcmp(part, "..", 2) == 0)
                access_go_up(walk->path);
        else if (length + size + 2 > sizeof(walk->path))
                return -ENAMETOOLONG;
        else if (size != 1 || part[0] != '.')
                (void)snprintf(walk->path + length, sizeof(walk->path) - length, "/%.*s", (int)size,
                               part);
        (void)snprintf(ret, PATH_MAX, "%.*s", (int)size, part);
        part += size;
        memmove(walk->rest, part, strlen(part) + 1);
        return 0;
}

static bool access_is_replaced(const Walk *walk)
{
        for (const char *const *replaced = walk->replaced; *replaced; replaced++)
                if (strcmp(*replaced, walk->path) == 0)
                        return true;
        return false;
}

/* Whether only root or the caller can change the file or folder. In a sticky folder, other users
 * can create files but can't replace root's files. If a file has an ACL, the group bits of its mode
 * are the mask of the ACL: the rights that the ACL can give to other users and groups. So the group
 * bits count even if the file belongs to root's group. */
static bool access_is_roots(const struct stat *st)
{
        const mode_t others = S_IWOTH | S_IWGRP;
        const bool is_sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);

        return (st->st_uid == 0 || st->st_uid == geteuid()) &&
               (S_ISLNK(st->st_mode) || is_sticky || !(st->st_mode & others));
}

/* Opens the next part of the path. Follows it if it is a link, or checks the file or folder. */
static int access_step(Walk *walk, const char *part)
{
        _cleanup_close_ int fd = openat(walk->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        const bool is_last = walk->rest[strspn(walk->rest, "/")] == 0;
        Access *access = walk->access;

        if (fd < 0 || fstat(fd, &access->stat) < 0) {
                access->error = -errno;
                /* If we can't enter a folder, the folder is the obstacle, not the file in it. */
                if (access->error == -EACCES) {
                        access_go_up(walk->path);
                        (void)fstat(walk->fd, &access->stat);
                }
                return 0;
        }
        if (!walk->who && !access_is_roots(&access->stat)) {
                access->error = -EPERM;
                return 0;
        }
        if (S_ISLNK(access->stat.st_mode)) {
                access->error = access_follow(walk, fd);
                return 0;
        }
        if (!is_last && !S_ISDIR(access->stat.st_mode)) {
                access->error = -ENOTDIR;
                return 0;
        }
        close_fd(walk->fd);
        walk->fd = take_fd(fd);
        if (!walk->who || (!is_last && access_is_replaced(walk)))
                return 0;
        return access_judge(walk, walk->fd, is_last ? walk->mode : X_OK);
}

static int access_walk(Walk *walk, const char *path)
{
        Access *access = walk->access;
        char part[PATH_MAX];
        int r;

        assert(path[0] == '/');
        access->error = 0;
        if (strlen(path) >= sizeof(walk->rest))
                return -ENAMETOOLONG;
        (void)snprintf(walk->rest, sizeof(walk->rest), "%s", path);
        r = access_go_to_root(walk);
        while (r == 0 && access->error == 0 && walk->rest[strspn(walk->rest, "/")]) {
                access->error = access_next_part(walk, part);
                if (access->error == 0)
                        r = access_step(walk, part);
        }
        if (access->error < 0) {
                access->is_end = walk->rest[strspn(walk->rest, "/")] == 0;
                (void)snprintf(access->obstacle, sizeof(access->obstacle), "%s", access_path(walk));
        }
        return r;
}

int access_open(const Identity *who, const char *const replaced[], const char *path, int mode,
                Access *ret, int *ret_fd)
{
        Walk walk = { .who = who, .replaced = replaced, .mode = mode, .access = ret, .fd = -EBADF };
        int r;

        if (who->uid != geteuid() && geteuid() != 0)
                return -EPERM;
        r = access_walk(&walk, path);
        if (r == 0 && ret->error == 0)
                *ret_fd = take_fd(walk.fd);
        close_fd(walk.fd);
        return r;
}

int access_ask(const Identity *who, const char *const replaced[], const char *path, int mode,
               Access *ret)
{
        _cleanup_close_ int fd = -EBADF;

        return access_open(who, replaced, path, mode, ret, &fd);
}

int access_ask_roots(const char *path, Access *ret)
{
        Walk walk = { .access = ret, .fd = -EBADF };
        const int r = access_walk(&walk, path);

        close_fd(walk.fd);
        return r;
}

int access_ask_fixed(const char *path, Access *ret)
{
        const int r = access_ask_roots(path, ret);
        const bool is_on_the_way =
                r == 0 && ret->error == -EPERM && (!ret->is_end || S_ISLNK(ret->stat.st_mode));
        char folder[PATH_MAX];

        if (r < 0 || is_on_the_way || (ret->error != -EPERM && ret->error != -ENOENT))
                return r;
        /* Only root can change the folder of the obstacle, unless the folder is sticky. In a sticky
         * folder, users can make files, and replace their own. */
        memcpy(folder, ret->obstacle, sizeof(folder));
        access_go_up(folder);
        ret->error = 0;
        if (stat(folder[0] ? folder : "/", &ret->stat) < 0) {
                ret->error = -errno;
        } else if (ret->stat.st_mode & (S_IWOTH | S_IWGRP)) {
                ret->error = -EPERM;
                memcpy(ret->obstacle, folder, sizeof(folder));
        }
        return 0;
}
