/* SPDX-License-Identifier: MIT */
/* Finds the users that can run an instance. Reads the user database once, because getpwnam(3) reads
 * /etc/passwd from its start each time, which takes seconds with thousands of instances. Looks up a
 * user by name only if the database does not list the user (LDAP and similar). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef enum UserVerdict {
        USER_FITS,
        USER_MISSING,
        USER_IS_ROOT,
        USER_IS_ROUTER,
} UserVerdict;

typedef struct Users {
        char **names; /* sorted; NULL: look up each name separately */
        size_t n;
        bool trust; /* accept every name but those of root and the router */
} Users;

/* Reads the user database unless trust is set. Returns 0 or -ENOMEM. */
int users_init(Users *users, bool trust);
void users_done(Users *users);

/* Returns a UserVerdict, or a negative errno if the database did not answer. */
int users_check(const Users *users, const char *name);
