/* SPDX-License-Identifier: MIT */
/*
 * Finds and writes the files and folders of an instance. Each is written whole or not at all.
 * Errors are negative errnos; only places_init() and program_run() print.
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
 * The comment field of a user that bellhopctl created. The mark is in the user database itself, so
 * it exists exactly as long as the user, and users can't change it.
 */
#define USER_MARK "bellhop customer"

struct passwd;
bool user_is_ours(const struct passwd *user);

/* Folders in which other programs keep files named after users, ended by NULL. */
extern const char *const kept_by_name[];

typedef struct Places {
        char file[PATH_MAX];
        char tls[PATH_MAX]; /* the folder of certificate and key */
        char snippets[PATH_MAX];
        char www[PATH_MAX];
        char state[PATH_MAX];
        char cache[PATH_MAX]; /* temporary files */
        char logs[PATH_MAX];
        char wanted[PATH_MAX]; /* the link of a hand-off socket that was enabled by hand */
} Places;

/* Sets all paths. Prints an error and returns false if a path is too long. */
bool places_init(const Ctl *ctl, const char *name, Places *ret);

/* Whether the path exists. A dangling link counts, too. */
bool place_exists(const char *path);

/* Counts the existing files of certificate and key. Only root and the customer can look into the
 * folder; for other users, counts both files, because they may exist. -ENOMEM: no memory. */
int places_count_pair(const Places *places);

/* Returns the text of an instance's file with the settings of ctl, to be freed. NULL: no memory. */
char *instance_text(const Ctl *ctl);

/* Puts a first page into a new document root, as fill() of folder_make(). Clients see this page
 * until the customer replaces it. */
int first_page_put(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata);

/* The link HOME_LINK in a home leads SFTP users to the document root. If old is NULL, makes this
 * link with the target new, unless the name is taken. Otherwise, if the target of the existing link
 * is old, changes the target to new. Follows no link, because the customer owns the home. */
#define HOME_LINK "www"
int home_link_put(const char *home, const char *old, const char *new);

/* Returns the temporary name of a new file or folder, to be freed: "folder/.name.new" for
 * "folder/name". */
char *unfinished_path(const char *path);

/* Writes the file whole or not at all, owned by root and readable by all. */
int file_write(const char *path, const char *text);

/* Removes a file. Also returns 0 if the file does not exist. */
int file_remove(const char *path);

/* Makes a folder in parent, which root owns. The new folder gets its name only after fill() has put
 * all content into it. fill NULL: the folder is empty. */
int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata),
                const void *userdata);

/* Makes the folder of the snippets, which root owns and the user can read. -ESRCH: the user does
 * not exist. */
int snippet_folder_make(const char *config_dir, const char *name);

/* Makes the folder of the logs, with the link through which bellhop-log(8) finds it. The user must
 * exist. */
bool log_folder_make(const char *name);

/* Renames a folder, and makes a link from the old name to the new one. Root owns the folder that
 * contains both names. Also returns 0 if the old name is already a link, or does not exist. */
int folder_rename(const char *from, const char *to);

/* Renames a file or folder in a folder that root owns. Fails if the new name is in use. */
int file_rename(const char *from, const char *to);

/* Exchanges two files in one atomic step. Root owns their folder. */
int file_swap(const char *a, const char *b);

/* Finds the first mount at a path or below it. The content of a mount may not belong to the
 * customer. rm(1) does not notice a bind mount from the same file system. *ret: the kernel's path
 * of the mount, which has no links, to be freed; NULL: nothing is mounted. */
int mount_find(const char *path, char **ret);

/* Runs the program arguments[0], and prints its output only if it fails. arguments[1] must exist;
 * NULL ends the array. False: the program failed. */
bool program_run(const char *const arguments[]);
