/* SPDX-License-Identifier: MIT */
/*
 * Whether a user can reach a file: the kernel is asked as that user, for each folder and link on
 * the way, so that modes, groups, ACLs and all else count. Does not log.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
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

typedef struct AccessQuestion {
        const char *path; /* absolute */
        int mode; /* R_OK, X_OK, ... of what is there at the end; folders before it need X_OK */
        /* The answer: */
        int error;        /* 0: it can; -EACCES, -ENOENT, -ELOOP, ... */
        char *obstacle;   /* what stands in the way, or is missing */
        struct stat stat; /* of the obstacle with -EACCES, else of what is at the end */
} AccessQuestion;

/*
 * Answers n questions; replaced: folders whose own modes do not count, as the sandbox puts others
 * in their place; NULL ends the list. Returns 0; -EPERM: only root can ask as another user; another
 * negative errno when it can't be known.
 */
int access_ask(const Identity *who, const char *const replaced[], AccessQuestion *questions,
               size_t n);
void access_done(AccessQuestion *questions, size_t n);
