/* SPDX-License-Identifier: MIT */
/* Checks whether a user can run an instance. Reads the user database once, because each getpwnam(3)
 * reads /etc/passwd from its start: with thousands of instances, these calls take seconds. Calls
 * getpwnam(3) only for users whom the database does not list, such as users in LDAP. */
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
        char **names; /* sorted; NULL: each name is looked up separately */
        size_t n;
        bool trust; /* every name is accepted, except those of root and the router */
} Users;

/* Reads the user database unless trust is set. Returns 0 or -ENOMEM. */
int users_init(Users *users, bool trust);
void users_done(Users *users);

/* Returns a UserVerdict, or a negative errno if the database did not answer. */
int users_check(const Users *users, const char *name);
