/* SPDX-License-Identifier: MIT */
/*
 * Files and folders of an instance: their paths, and the content that add writes. All are written
 * whole or not at all. Errors are negative errnos; only places_init() and program_run() print.
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
 * The comment of a user that bellhopctl created. It is in the user database itself, so it exists
 * exactly as long as the user, and users can't change it.
 */
#define USER_MARK "bellhop customer"

struct passwd;
bool user_is_ours(const struct passwd *user);

/* Folders in which other programs keep files named after users, ended by NULL. */
extern const char *const kept_by_name[];

typedef struct Places {
        char file[PATH_MAX];
        char tls[PATH_MAX]; /* folders of the customer */
        char snippets[PATH_MAX];
        char www[PATH_MAX];
        char state[PATH_MAX];
        char cache[PATH_MAX]; /* temporary files */
        char logs[PATH_MAX];
        char wanted[PATH_MAX]; /* the link of a socket that was enabled by hand */
} Places;

/* False: a path would be too long, which is printed. */
bool places_init(const Ctl *ctl, const char *name, Places *ret);

/* True also for a dangling link. */
bool place_exists(const char *path);

/* The number of files, of certificate and key, that exist, or that may exist because only root and
 * the customer can look. -ENOMEM: no memory. */
int places_count_pair(const Places *places);

/* The file of an instance with these settings, to be freed. NULL: no memory. */
char *instance_text(const Ctl *ctl);

/* Puts a first page into a folder, which clients see until there are other pages. For
 * folder_make(). */
int first_page_put(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata);

/* The link in a home that leads SFTP users to the document root. old NULL: makes the link unless
 * the name is taken. Otherwise: if the link leads to the old document root, makes it lead to the
 * new one. Follows no link, because the customer owns the home. */
#define HOME_LINK "www"
int home_link_put(const char *home, const char *old, const char *new);

/* The temporary name of a new file or folder: "folder/name" to "folder/.name.new". To be freed. */
char *unfinished_path(const char *path);

/* Writes the file whole or not at all, owned by root and readable by all. */
int file_write(const char *path, const char *text);

/* Returns 0 also if there is no such file. */
int file_remove(const char *path);

/* Makes a folder in a folder of root, complete with everything that fill() puts into it, or not at
 * all. fill NULL: the folder is empty. */
int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata),
                const void *userdata);

/* The folder of the snippets: root owns it, the user can read it. -ESRCH: the user does not exist.
 */
int snippet_folder_make(const char *config_dir, const char *name);

/* Makes the folder of the logs, with the link through which bellhop-log(8) finds it. The user must
 * exist. */
bool log_folder_make(const char *name);

/* Renames a folder within a folder of root, and makes a link from the old name to the new one.
 * Returns 0 also if this is already done, or if neither name exists. */
int folder_rename(const char *from, const char *to);

/* Gives a file or folder in a folder of root a new, unused name. */
int file_rename(const char *from, const char *to);

/* Exchanges two files in a folder of root in one step. */
int file_swap(const char *a, const char *b);

/* The first mount at a path or below it: its content may not belong to the customer, and rm(1)
 * recognizes only other file systems. The kernel's name for it has no links. ret: to be freed;
 * NULL: nothing is mounted. */
int mount_find(const char *path, char **ret);

/* Runs a program with at least one argument, and prints its output only if it fails. False: it
 * failed. */
bool program_run(const char *const arguments[]);
