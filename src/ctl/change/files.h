/* SPDX-License-Identifier: MIT */
/*
 * Finds and writes the files and folders of an instance. Each is written whole or not at all.
 * Errors are negative errnos. Only places_init(), log_folder_make() and program_run() print errors.
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
 * bellhopctl puts this mark into the comment field of each user that it creates. The mark is in the
 * user database itself, so it exists exactly as long as the user, and users can't change it.
 */
#define USER_MARK "bellhop customer"

struct passwd;
bool user_is_ours(const struct passwd *user);

/* Files of a removed user can remain where bellhopctl does not look, for example a set-user-ID
 * program in /var/tmp, and the journal keeps the user's lines. So no later customer gets the uid or
 * gid: last_uid_put() notes both before the user is removed, and user_make() makes a user with a
 * higher uid and gid. */
#define LAST_UID_FILE STATE_DIR "/.last-uid"
int last_uid_put(uid_t uid);
bool user_make(const char *name);

/* Folders in which other programs keep a file for each user, named after the user. NULL ends the
 * array. */
extern const char *const kept_by_name[];

typedef struct Places {
        char file[PATH_MAX];
        char tls[PATH_MAX]; /* the folder of certificate and key */
        char snippets[PATH_MAX];
        char www[PATH_MAX];
        char state[PATH_MAX];
        char cache[PATH_MAX]; /* temporary files */
        char logs[PATH_MAX];
        char wanted[PATH_MAX]; /* the link that exists if the hand-off socket was enabled by hand */
} Places;

/* Sets all paths. Prints an error and returns false if a path is too long. */
bool places_init(const Ctl *ctl, const char *name, Places *ret);

/* Whether the path exists. A dangling link exists, too. If root can't examine a path, the path
 * counts as existing. */
bool place_exists(const char *path);

/* Returns how many of the two files (certificate and key) exist, or -ENOMEM. Only root and the
 * customer can look into the folder. For any other caller, counts both files, because they may
 * exist. */
int places_count_pair(const Places *places);

/* Returns the text for the file of a new instance, with the settings in ctl. The caller frees it.
 * NULL: no memory. */
char *instance_text(const Ctl *ctl);

/* Puts a first page into a new document root; for the parameter fill of folder_make(). Clients see
 * this page until the customer replaces it. */
int first_page_put(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata);

/* The link HOME_LINK in a user's home leads SFTP users to the document root. If old is NULL, makes
 * the link, with the path 'new' as its target, unless a file with this name exists. If old is not
 * NULL, changes the target of the link from 'old' to 'new', but keeps a link with another target.
 * Follows no link, because the customer owns the home. */
#define HOME_LINK "www"
int home_link_put(const char *home, const char *old, const char *new);

/* Returns the temporary name of a new file or folder, to be freed: "folder/.name.new" for
 * "folder/name". */
char *unfinished_path(const char *path);

/* Writes the file whole or not at all. Root owns the file, and all users can read it. */
int file_write(const char *path, const char *text);

/* Removes a file. Also returns 0 if the file does not exist. */
int file_remove(const char *path);

/* Makes a folder with this owner, group and mode. Makes the parent folder if it is missing. Root
 * must own an existing parent folder. The new folder gets its name only after fill() has put all
 * content into it. If fill() fails, the folder is removed. If fill is NULL, the folder is empty. */
int folder_make(const char *parent, const char *name, uid_t uid, gid_t gid, mode_t mode,
                int (*fill)(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata),
                const void *userdata);

/* Makes the folder of a customer's snippets. Root owns it, and the customer can read it. -ESRCH:
 * the user does not exist. */
int snippet_folder_make(const char *config_dir, const char *name);

/* Makes the folder of the logs, and the link through which bellhop-log(8) finds this folder. The
 * user must exist. */
bool log_folder_make(const char *name);

/* Renames a folder, and makes a link from the old name to the new one. Root must own the folder
 * that contains both names. Also returns 0 if the old name is already a link, or does not exist. */
int folder_rename(const char *from, const char *to);

/* Renames a file or folder in a folder that root owns. Fails if the new name is in use. */
int file_rename(const char *from, const char *to);

/* Exchanges two files in one atomic step. Root must own their folder. */
int file_swap(const char *a, const char *b);

/* Finds the first mount at a path or below it. A folder with a mount must not be removed: the
 * content of the mount may not belong to the customer, and rm(1) does not notice a bind mount from
 * the same file system. *ret: the mount point as the kernel names it, without symbolic links, to be
 * freed; NULL: nothing is mounted. */
int mount_find(const char *path, char **ret);

/* Does the same as program_run(), but does not print an error. ret_error: the message, if the
 * program failed. */
#define PROGRAM_ERROR_MAX 2200
bool program_try(const char *const arguments[], char ret_error[static PROGRAM_ERROR_MAX]);

/* Runs the program arguments[0], and prints its output only if it fails. NULL ends the
 * array, and arguments[1] must not be NULL, because error messages contain it. False: the program
 * failed. */
bool program_run(const char *const arguments[]);
