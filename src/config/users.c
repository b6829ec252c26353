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

/* Another name for the router's uid could speak to all instances too. -1, which is nobody's, when
 * there is no such user. Overwrites what getpwnam(3) has returned before. */
static uid_t router_uid(void)
{
        const struct passwd *pw = getpwnam(BELLHOP_ROUTER_USER);

        return pw ? pw->pw_uid : (uid_t)-1;
}

int users_init(Users *users, bool trust)
{
        const struct passwd *pw;
        size_t size = 0;
        uid_t router;

        *users = (Users){ .trust = trust };
        if (trust)
                return 0;
        router = router_uid();
        setpwent();
        while ((pw = getpwent())) {
                if (pw->pw_uid == 0 || pw->pw_uid == router ||
                    strcmp(pw->pw_name, BELLHOP_ROUTER_USER) == 0)
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
        if (pw) {
                const uid_t uid = pw->pw_uid;

                *ret = uid == 0 ? USER_IS_ROOT : uid == router_uid() ? USER_IS_ROUTER : USER_FITS;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                return -errno;
        } else {
                *ret = USER_MISSING;
        }
        return 0;
}
