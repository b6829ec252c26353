/* SPDX-License-Identifier: MIT */
/*
 * Gives one user two names during a rename, so that instances of both names can start at any time.
 * A comment in the user database itself marks the second name. Functions print errors; false: the
 * change was not made.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ctl/change/change.h"

typedef struct NamedUser {
        bool exists;
        bool is_ours; /* made by bellhopctl add --create-user */
        uid_t uid;
        gid_t gid;
        char home[PATH_MAX];
        char renamed_to[64]; /* "": this is not a second name */
} NamedUser;

void named_user_read(const char *name, NamedUser *ret);

/* Gets the name of another user with this uid. False: there is none. */
bool named_user_find_third(uid_t uid, const char *from, char ret[static NAME_UNIT_MAX]);

/* Renames the user "from" to "to", and makes "from" its second name, with hold_run(): between the
 * two, the name "from" does not exist. If the user is already renamed, only makes the second name.
 */
bool second_name_give(const char *from, const char *to, const NamedUser *user);

bool second_name_set_home(const char *to, const char *home);

/* Removes the second name. The user gets the subordinate uids and gids of that name. */
bool second_name_remove(const char *from, const char *to);
