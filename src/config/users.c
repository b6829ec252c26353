/* SPDX-License-Identifier: MIT */
#include <pwd.h>

#include "config/users.h"
#include "util/cleanup.h"
#include "util/text.h"

static int users_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Returns the router's uid. No instance may run with this uid, because a process with this uid can
 * send connections to all instances. Returns -1, which no user has, if the router's user does not
 * exist. Overwrites the result of an earlier getpwnam(3). */
static uid_t users_router_uid(void)
{
        const struct passwd *pw = getpwnam(BELLHOP_ROUTER_USER);

        return pw ? pw->pw_uid : (uid_t)-1;
}

int users_init(Users *users, bool trust)
{
        const struct passwd *pw;
        uid_t router;
        int r = 0;

        *users = (Users){ .trust = trust };
        if (trust)
                return 0;
        router = users_router_uid();
        setpwent();
        while (r == 0 && (pw = getpwent()))
                if (pw->pw_uid != 0 && pw->pw_uid != router &&
                    strcmp(pw->pw_name, BELLHOP_ROUTER_USER) != 0)
                        r = texts_append(&users->names, &users->n, pw->pw_name);
        endpwent();
        if (r == 0 && users->n > 0)
                qsort(users->names, users->n, sizeof(*users->names), users_compare);
        return r;
}

void users_done(Users *users)
{
        texts_free(users->names, users->n);
}

int users_check(const Users *users, const char *name)
{
        const struct passwd *pw;
        uid_t uid;

        if (users->n > 0 &&
            bsearch(&name, users->names, users->n, sizeof(*users->names), users_compare))
                return USER_FITS;
        if (strcmp(name, BELLHOP_ROUTER_USER) == 0)
                return USER_IS_ROUTER;
        if (users->trust)
                return strcmp(name, "root") == 0 ? USER_IS_ROOT : USER_FITS;
        errno = 0;
        pw = getpwnam(name);
        if (!pw)
                return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno
                                                                             : USER_MISSING;
        uid = pw->pw_uid;
        if (uid == 0)
                return USER_IS_ROOT;
        return uid == users_router_uid() ? USER_IS_ROUTER : USER_FITS;
}
