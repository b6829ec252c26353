/* SPDX-License-Identifier: MIT */
/*
 * Whether a user can reach a file: the kernel is asked with that user's credentials, for each
 * folder and link on the way, so that modes, groups and ACLs all count. Does not log.
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

/* False: the user does not exist. */
bool identity_of(const char *user, Identity *ret);

typedef struct Access {
        int error;               /* 0: reachable; else -EACCES, -ENOENT, -ELOOP, ... */
        char obstacle[PATH_MAX]; /* the closed or missing part; set with an error */
        struct stat stat;        /* of the obstacle after -EACCES, otherwise of the path's target */
} Access;

/*
 * Whether the user has mode (R_OK, X_OK, ...) on the target of an absolute path, and X_OK on each
 * folder before it. replaced: folders, ended by NULL, that the instance's sandbox replaces, so
 * their own modes do not count. Returns 0; -EPERM: only root can ask for another user; or another
 * negative errno.
 */
int access_ask(const Identity *who, const char *const replaced[], const char *path, int mode,
               Access *ret);

/* Whether only root (or the caller) can change the target of an absolute path: each folder and link
 * on the way and the file itself. ret->error is -EPERM if another user can. */
int access_ask_roots(const char *path, Access *ret);

/* Between these two calls, this process accesses files with the rights of the user, even if the
 * first call fails. It returns 0 or a negative errno; pass *ret_own to the second call. */
int access_begin_as(const Identity *who, Identity *ret_own);
int access_end_as(const Identity *own);
