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

/* False: there is no such user. */
bool identity_of(const char *user, Identity *ret);

typedef struct Access {
        int error;               /* 0: reachable; else -EACCES, -ENOENT, -ELOOP, ... */
        char obstacle[PATH_MAX]; /* what is closed or missing; set with an error */
        struct stat stat;        /* with -EACCES of the obstacle, else of the path's target */
} Access;

/*
 * Whether who has mode (R_OK, X_OK, ...) on what an absolute path leads to, and X_OK on each folder
 * before it. replaced: folders, ended by NULL, that the instance's sandbox replaces, so that their
 * own modes do not count. Returns 0; -EPERM: only root can ask for another user; or another
 * negative errno.
 */
int access_ask(const Identity *who, const char *const replaced[], const char *path, int mode,
               Access *ret);

/* Whether nobody but root (or the caller) can change what an absolute path leads to: each folder
 * and link on the way and the file itself. ret->error is -EPERM where somebody else can. */
int access_ask_roots(const char *path, Access *ret);

/* Between these two, this process reaches files with the rights of who, whatever the first one
 * returns, which is 0 or a negative errno; *ret_own is what the second one gives back. */
int access_begin_as(const Identity *who, Identity *ret_own);
int access_end_as(const Identity *own);
