/* SPDX-License-Identifier: MIT */
/*
 * Owns the question whether a name is a user. getpwnam(3) reads /etc/passwd from its start each
 * time, which with thousands of customers takes seconds; so the database is read once, and asked by
 * name only for users that it does not list (LDAP and the like).
 */
#include <pwd.h>

#include "config/users.h"
#include "util/cleanup.h"

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool uid_fits(uid_t uid, const char *name)
{
        return uid != 0 && strcmp(name, BELLHOP_ROUTER_USER) != 0;
}

int users_init(Users *users, bool trust)
{
        const struct passwd *pw;
        size_t size = 0;

        *users = (Users){ .trust = trust };
        if (trust)
                return 0;
        setpwent();
        while ((pw = getpwent())) {
                if (!uid_fits(pw->pw_uid, pw->pw_name))
                        continue;
                if (users->n == size) {
                        char **names =
                                reallocarray(users->names, size ? size * 2 : 64, sizeof(*names));

                        if (!names)
                                break;
                        users->names = names;
                        size = size ? size * 2 : 64;
                }
                users->names[users->n] = strdup(pw->pw_name);
                if (!users->names[users->n])
                        break;
                users->n++;
        }
        endpwent();
        if (pw) {
                users_done(users);
                return -ENOMEM;
        }
        if (users->n > 0)
                qsort(users->names, users->n, sizeof(*users->names), compare);
        return 0;
}

void users_done(Users *users)
{
        for (size_t i = 0; i < users->n; i++)
                free(users->names[i]);
        free(users->names);
        *users = (Users){ .n = 0 };
}

int users_check(const Users *users, const char *name, UserVerdict *ret)
{
        const struct passwd *pw;

        if (users->n > 0 &&
            bsearch(&name, users->names, users->n, sizeof(*users->names), compare)) {
                *ret = USER_FITS;
                return 0;
        }
        if (strcmp(name, BELLHOP_ROUTER_USER) == 0) {
                *ret = USER_IS_ROUTER;
                return 0;
        }
        if (users->trust) {
                *ret = strcmp(name, "root") == 0 ? USER_IS_ROOT : USER_FITS;
                return 0;
        }
        errno = 0;
        pw = getpwnam(name);
        if (pw)
                *ret = pw->pw_uid == 0 ? USER_IS_ROOT : USER_FITS;
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                return -errno;
        else
                *ret = USER_MISSING;
        return 0;
}
