/* SPDX-License-Identifier: MIT */
/*
 * Two names of one user, while an instance is renamed: so both names can be started at any time.
 * The comment of the second name says what it is, in the user database itself. Functions print what
 * is wrong; false: it was not done.
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
        char renamed_to[64]; /* "": it is no second name */
} NamedUser;

void named_user_read(const char *name, NamedUser *ret);

/* The name of another user with that uid. False: there is none. */
bool named_user_find_third(uid_t uid, const char *from, char ret[static NAME_UNIT_MAX]);

/* The user from gets the name to, and from becomes its second name; both by one program, which goes
 * on when we are killed. Until it ends, nothing starts bellhop@from.service. from may have been
 * renamed already: then it only becomes the second name. */
bool second_name_give(const char *from, const char *to, const NamedUser *user);

/* Waits for the program of a bellhopctl that was killed. */
bool second_name_wait(sd_bus *bus, const char *from);

bool second_name_set_home(const char *to, const char *home);

/* The end of the second name. Its subordinate uids and gids become those of the user. */
bool second_name_remove(const char *from, const char *to);
