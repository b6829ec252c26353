/* SPDX-License-Identifier: MIT */
/* Which names are users that may own an instance. */
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
        char **names; /* sorted; NULL: ask for each name by itself */
        size_t n;
        bool trust; /* take every name that is not known to be wrong */
} Users;

/* Reads the user database once; pays off from a handful of names on. Returns 0 or -ENOMEM. */
int users_init(Users *users, bool trust);
void users_done(Users *users);

/* A negative errno only when the database could not be asked. */
int users_check(const Users *users, const char *name, UserVerdict *ret);
