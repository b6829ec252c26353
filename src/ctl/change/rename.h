/* SPDX-License-Identifier: MIT */
/* Checks the conditions for a rename of an instance; verb-rename.c has the steps. */
#pragma once

#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "ctl/change/mentions.h"
#include "ctl/change/second-name.h"

typedef struct Rename {
        Change change;
        const char *from, *to;
        Places old, new;
        NamedUser user, other; /* the users named from and to, at the beginning */
        char old_home[PATH_MAX], new_home[PATH_MAX]; /* "": the home is not renamed */
        bool has_group;                              /* there is a group with the old name */
        bool has_begun;                              /* an earlier command began the rename */
        bool is_done;                                /* an earlier command finished the rename */
} Rename;

/* Finds out which steps of the rename an earlier command has done. If the rename has not begun,
 * checks whether it is possible. If not, prints the reason. Changes nothing. */
CtlStatus rename_prepare(Rename *rename);

/* Finds lines with the old name in the settings of the instance. name: the present name of the
 * instance (the old name before the rename, the new name after it). Returns 0 or a negative errno;
 * always call mentions_done(). */
int rename_find_mentions(const Rename *rename, const char *name, Mentions *ret);

/* Returns the path of the drop-in that records the old name, for the service with the new name. To
 * be freed. */
#define RENAME_RECORD "renamed-"
char *rename_record(const char *to, const char *from);

/* Returns the path of a file that belongs to another program and is named after a user. To be
 * freed. number: less than RENAME_KEPT; numbers less than RENAME_CRONTABS are crontabs. */
#define RENAME_KEPT     4
#define RENAME_CRONTABS 2
char *rename_kept(size_t number, const char *name);

bool rename_is_link(const char *path);
