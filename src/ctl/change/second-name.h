/* SPDX-License-Identifier: MIT */
/*
 * Gives one user two names during a rename, so that instances of both names can start at any time.
 * The comment field in the user database marks the second name. The functions print errors. False:
 * the change was not made.
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
        char renamed_to[64]; /* of a second name: the new name; "": this is not a second name */
} NamedUser;

void named_user_read(const char *name, NamedUser *ret);

/* Finds a user with this uid and a name other than "from", and sets ret to this name. False: there
 * is none. */
bool named_user_find_third(uid_t uid, const char *from, char ret[static NAME_UNIT_MAX]);

/* Renames the user "from" to "to", and then adds "from" as a second name of this user. Between
 * these two steps, the name "from" does not exist, so hold_run() runs them while systemd can't
 * start the instance. If the user is already renamed, only adds the second name. */
bool second_name_give(const char *from, const char *to, const NamedUser *user);

bool second_name_set_home(const char *to, const char *home);

/* Removes the second name. The user gets the subordinate uids and gids of that name. */
bool second_name_remove(const char *from, const char *to);
