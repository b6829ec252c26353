/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether a user can reach a file. Asks the kernel, with the user's credentials, about
 * the file and each folder on the way to it, so modes, groups and ACLs all count. Does not log.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#define ACCESS_GROUPS_MAX 256

typedef struct Identity {
        uid_t uid;
        gid_t gid;
        gid_t groups[ACCESS_GROUPS_MAX];
        int n_groups;
} Identity;

/* Looks up a user. False: the user does not exist. */
bool identity_of(const char *user, Identity *ret);

typedef struct Access {
        int error;               /* 0: reachable; else -EACCES, -ENOENT, -ELOOP, ... */
        char obstacle[PATH_MAX]; /* the path that is closed or missing; set if error is not 0 */
        bool is_end;             /* the obstacle is the file itself; set if error is not 0 */
        struct stat stat;        /* of the file; after -EACCES or -EPERM, of the obstacle */
} Access;

/*
 * Finds out whether the user has access to the file or folder at an absolute path. mode: the access
 * to it (R_OK, X_OK, ...); each folder on the way needs X_OK. The answer is in ret->error.
 * replaced: a NULL-terminated array of folders that the sandbox of an instance replaces, so their
 * modes do not count. Returns 0 or a negative errno; -EPERM if the caller is neither root nor the
 * user. The answer is -ELOOP if there are too many links, or too many parts of the path and of
 * these links.
 */
int access_ask(const Identity *who, const char *const replaced[], const char *path, int mode,
               Access *ret);

/* Does the same as access_ask(). If the user has access, *ret_fd is a descriptor (O_PATH) of the
 * file or folder. Use it instead of the path, because the user may be able to replace parts of the
 * path at any time. */
int access_open(const Identity *who, const char *const replaced[], const char *path, int mode,
                Access *ret, int *ret_fd);

/* Finds out whether only root (or the caller) can change the file or folder at an absolute path.
 * Also checks each folder and link on the way. ret->error is -EPERM if another user can change one
 * of them. */
int access_ask_roots(const char *path, Access *ret);

/* Finds out whether an absolute path will lead to the same file or folder each time that root uses
 * it, although other users may be able to change this file or folder itself. If the file is
 * missing, the answer is yes if only root can create it. ret->error is -EPERM if other users can
 * change the folder or link ret->obstacle on the way. */
int access_ask_fixed(const char *path, Access *ret);

/* access_begin_as() lets this process access files with the rights of the user. access_end_as()
 * gives the process its own rights back; call it with *ret_own even if access_begin_as() fails.
 * Both functions return 0 or a negative errno. */
int access_begin_as(const Identity *who, Identity *ret_own);
int access_end_as(const Identity *own);
