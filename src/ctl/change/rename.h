/* SPDX-License-Identifier: MIT */
/* Conditions for a rename of an instance; verb-rename.c has the steps. */
#pragma once

#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "ctl/change/mentions.h"
#include "ctl/change/second-name.h"

typedef struct Rename {
        Change change;
        const char *from, *to;
        Places old, new;
        NamedUser user, other; /* the users with these names, at the beginning */
        char old_home[PATH_MAX], new_home[PATH_MAX]; /* "": the home is not renamed */
        bool has_group;                              /* there is a group with the old name */
        bool has_begun;                              /* an earlier command began the rename */
        bool is_done;                                /* also by an earlier command */
} Rename;

/* Finds out how far an earlier command went. Only a rename that has not begun can be refused: then
 * nothing was changed. Prints the reason. */
CtlStatus rename_prepare(Rename *rename);

/* Lines with the old name in the settings of an instance with either name. 0 or a negative errno;
 * always call mentions_done(). */
int rename_find_mentions(const Rename *rename, const char *name, Mentions *ret);

/* The path of the drop-in, in the units of one name, that records the other name. To be freed. */
#define RENAME_RECORD "renamed-"
char *rename_record(const char *to, const char *from);

/* The files of other programs with the name of a user, the first of them crontabs. To be freed. */
#define RENAME_KEPT     4
#define RENAME_CRONTABS 2
char *rename_kept(size_t number, const char *name);

bool rename_is_link(const char *path);
