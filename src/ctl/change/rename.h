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
        NamedUser user, other; /* the users with the names from and to, before the first step */
        char old_home[PATH_MAX], new_home[PATH_MAX]; /* "": the home is not renamed */
        bool has_group;                              /* a group with the old name exists */
        bool has_begun;                              /* an earlier command began the rename */
        bool is_done;                                /* an earlier command finished the rename */
} Rename;

/* Finds out whether an earlier command has begun or finished the rename. If it has done neither,
 * checks that the rename is possible. Prints errors. Changes nothing. */
CtlStatus rename_prepare(Rename *rename);

/* Finds lines that contain the old name in the instance's snippets and in the settings of its
 * units. name: the present name of the instance (the old name before the rename, the new name after
 * it). Returns 0 or a negative errno; always call mentions_done(). */
int rename_find_mentions(const Rename *rename, const char *name, Mentions *ret);

/* Each rename leaves a record: a drop-in of the service with the new name. The file name of the
 * drop-in contains the old name. Returns the path of the drop-in, to be freed. */
#define RENAME_RECORD "renamed-"
char *rename_record(const char *to, const char *from);

/* Other programs keep files that have the name of a user: crontabs, mail and others. Returns the
 * path of such a file, to be freed. number: less than RENAME_KEPT; the first RENAME_CRONTABS files
 * are crontabs. */
#define RENAME_KEPT     4
#define RENAME_CRONTABS 2
char *rename_kept(size_t number, const char *name);

bool rename_is_link(const char *path);
