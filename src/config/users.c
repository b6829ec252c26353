/* SPDX-License-Identifier: MIT */
#include <pwd.h>

#include "config/users.h"
#include "util/array.h"
#include "util/cleanup.h"

static int users_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Any user with the router's uid could send to all instances. Returns -1, which no user has, if the
 * router's user does not exist. Overwrites what getpwnam(3) returned before. */
static uid_t users_router_uid(void)
{
        const struct passwd *pw = getpwnam(BELLHOP_ROUTER_USER);

        return pw ? pw->pw_uid : (uid_t)-1;
}

int users_init(Users *users, bool trust)
{
        _cleanup_free_ char *name = NULL;
        const struct passwd *pw;
        uid_t router;

        *users = (Users){ .trust = trust };
        if (trust)
                return 0;
        router = users_router_uid();
        setpwent();
        while ((pw = getpwent())) {
                if (pw->pw_uid == 0 || pw->pw_uid == router ||
                    strcmp(pw->pw_name, BELLHOP_ROUTER_USER) == 0)
                        continue;
                name = strdup(pw->pw_name);
                if (!name || array_append(users->names, users->n, name) < 0)
                        break;
                name = NULL;
        }
        endpwent();
        if (pw) {
                users_done(users);
                return -ENOMEM;
        }
        if (users->n > 0)
                qsort(users->names, users->n, sizeof(*users->names), users_compare);
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
            bsearch(&name, users->names, users->n, sizeof(*users->names), users_compare)) {
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

                *ret = uid == 0                    ? USER_IS_ROOT
                       : uid == users_router_uid() ? USER_IS_ROUTER
                                                   : USER_FITS;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                return -errno;
        } else {
                *ret = USER_MISSING;
        }
        return 0;
}
