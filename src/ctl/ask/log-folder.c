/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "ctl/ask/log-folder.h"
#include "util/cleanup.h"

static bool log_folder_get_uid(const char *name, uid_t *ret)
{
        const struct passwd *user = getpwnam(name);

        if (user)
                *ret = user->pw_uid;
        return user;
}

bool log_folder_is_made(const char *name)
{
        char link[PATH_MAX], leads[PATH_MAX], wanted[PATH_MAX];
        uid_t customer, writer;
        struct stat st;
        ssize_t n;

        if (!log_folder_get_uid(name, &customer) || !log_folder_get_uid("bellhop-log", &writer))
                return false;
        (void)snprintf(link, sizeof(link), LOG_DIR "/.uid/%u", customer);
        (void)snprintf(wanted, sizeof(wanted), "../%s", name);
        n = readlink(link, leads, sizeof(leads) - 1);
        leads[n < 0 ? 0 : n] = 0;
        return strcmp(leads, wanted) == 0 && stat(link, &st) == 0 && S_ISDIR(st.st_mode) &&
               st.st_uid == writer && (st.st_mode & (S_IWGRP | S_IRWXO)) == 0;
}
