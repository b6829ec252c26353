/* SPDX-License-Identifier: MIT */
/* What has to be true before an instance gets another name; verb-rename.c has the steps. */
#pragma once

#include "ctl/change/change.h"
#include "ctl/change/files.h"
#include "ctl/change/mentions.h"
#include "ctl/change/second-name.h"

typedef struct Rename {
        Change change;
        const char *from, *to;
        Places old, new;
        NamedUser user, other; /* of these names, as they were at the beginning */
        char old_home[PATH_MAX], new_home[PATH_MAX]; /* "": it stays */
        bool has_group;                              /* of the old name */
        bool has_begun;                              /* by an earlier command */
        bool is_done;                                /* likewise */
} Rename;

/* Finds out how far an earlier command went. Only one that has not begun can be refused: then
 * nothing was changed. Prints why. */
CtlStatus rename_prepare(Rename *rename);

/* Lines of the settings of an instance, of either name, that name the old one. 0 or a negative
 * errno; to be ended by mentions_done() in both cases. */
int rename_find_mentions(const Rename *rename, const char *name, Mentions *ret);

/* The drop-in for the units of one name that says which other one it had. To be freed. */
#define RENAME_RECORD "renamed-"
char *rename_record(const char *to, const char *from);

/* The files that others keep by the name of a user, the first of them crontabs. To be freed. */
#define RENAME_KEPT     4
#define RENAME_CRONTABS 2
char *rename_kept(size_t number, const char *name);

bool rename_is_link(const char *path);
