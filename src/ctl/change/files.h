/* SPDX-License-Identifier: MIT */
/*
 * Files and folders of an instance: where they are, what add puts there, and how, so that each is
 * there as a whole or not at all. A negative errno says what is wrong; only places_init() and
 * program_run() print.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "ctl/ask/log-folder.h"
#include "ctl/ctl.h"

#define STATE_DIR  "/var/lib/bellhop"
#define CACHE_DIR  "/var/cache/bellhop"
#define FIRST_PAGE "index.html"

/*
 * The comment of a user that bellhopctl has made, in the user database itself: so it can't be
 * there without the user, nor the user without it, and users can't change it.
 */
#define USER_MARK "bellhop customer"

struct passwd;
bool user_is_ours(const struct passwd *user);

/* Folders in which others keep a file by the name of a user, ended by NULL. */
extern const char *const kept_by_name[];

typedef struct Places {
        char file[PATH_MAX];
        char tls[PATH_MAX]; /* folders of the customer's */
        char snippets[PATH_MAX];
        char www[PATH_MAX];
        char state[PATH_MAX];
        char cache[PATH_MAX]; /* temporary files */
        char logs[PATH_MAX];
        char wanted[PATH_MAX]; /* the link of a socket that was enabled by hand */
} Places;

/* False: a path would be too long, which is printed. */
bool places_init(const Ctl *ctl, const char *name, Places *ret);

/* Also of a link that leads nowhere. */
bool place_exists(const char *path);

/* How many of certificate and key are there, or may be, where only root and the customer can see.
 * -ENOMEM: no memory to say. */
int places_count_pair(const Places *places);

/* The file of an instance with these settings, to be freed. NULL: no memory. */
char *instance_text(const Ctl *ctl);

/* Puts the page into a folder that a visitor sees before there are others; for folder_make(). */
int first_page_put(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata);

/* The link in a home that leads SFTP users to the document root. old NULL: puts it there unless
 * something has that name; else leads it from the old document root to the new one, if it is that
 * link. Follows no link: the home is the customer's. */
#define HOME_LINK "www"
int home_link_put(const char *home, const char *old, const char *new);

/* Where a file or folder is made: "folder/name" to "folder/.name.new". To be freed. */
char *unfinished_path(const char *path);

/* Whole or not there, owned by root and readable by all. */
int file_write(const char *path, const char *text);

/* 0 also if there is none. */
int file_remove(const char *path);

/* A folder in one of root's: there with all that fill() puts in, or not at all. fill NULL: nothing.
 */
int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata),
                const void *userdata);

/* The folder of the snippets: root owns it, the user can read it. -ESRCH: no such user. */
int snippet_folder_make(const char *config_dir, const char *name);

/* Makes the folder of the logs, with the link by which bellhop-log(8) finds it. The user must
 * exist. */
bool log_folder_make(const char *name);

/* A folder gets another name in the same folder of root's, and a link by the old name leads to it.
 * Done already, or neither is there: 0. */
int folder_rename(const char *from, const char *to);

/* A file or folder in one of root's gets another name, which nothing has. */
int file_rename(const char *from, const char *to);

/* Two files in a folder of root's change places in one step. */
int file_swap(const char *a, const char *b);

/* What is mounted at a path or below it is not the customer's, and rm(1) knows only other file
 * systems. The kernel names it without the links on the way. ret: to be freed; NULL: nothing is
 * mounted. */
int mount_find(const char *path, char **ret);

/* Runs a program with at least one argument, and prints what it says only if it fails. False: it
 * has failed. */
bool program_run(const char *const arguments[]);
