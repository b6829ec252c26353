/* SPDX-License-Identifier: MIT */
/*
 * Finds out whether running programs have read the present version of their files. The time of a
 * change is the ctime of the inode, because a program that copies or unpacks a file can set the
 * mtime back. The functions return times in nanoseconds since 1970. The time of a change is 0 if
 * the file does not exist.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/config.h"
#include "ctl/ask/hosts.h"
#include "ctl/ctl.h"

uint64_t changed_file(const char *path);
uint64_t changed_inode(const struct stat *st);

/* The last change of a file, or of a folder of root and the files in it. */
uint64_t changed_below(const char *dir, const char *name);

/* The last change of the files that the router reads, or of their folders. The folders count
 * because the removal of a file changes only its folder. */
uint64_t changed_router(const char *config_dir);

/* The last change of the snippets, certificates and keys of one instance. They are in two folders.
 * hosts: the instance's hosts, which can have their own certificates; NULL: these certificates do
 * not count. If a customer has put a link in place of a certificate or key, only a change of the
 * link itself counts. *ret_made: the time when the newer folder was created; 0: unknown. A server
 * that was started earlier does not see this folder in its sandbox. A snippet folder counts for
 * *ret_made only if a file was put into it. */
uint64_t changed_instance(const char *config_dir, const char *name, const Hosts *hosts,
                          uint64_t *ret_made);

/* Gets the path of the usual document root, which may not exist. */
void document_root_of(const char *name, char ret[static PATH_MAX]);

/* A host can have its own folder in the document root. Finds the newest of these folders. ret: the
 * path of the folder, if there is one. Returns the time when the folder was created, because later
 * changes in the folder need no reload; 0: there is no such folder. */
uint64_t made_host_folder(const char *document_root, const Hosts *hosts, char ret[static PATH_MAX]);

/* Whether a process that began to read its files at read_nsec may have missed the change at
 * changed_nsec. read_nsec is a time of CLOCK_REALTIME_COARSE, like the times of files. False if
 * read_nsec is UNKNOWN, because an unknown time must cause no action. */
bool is_stale(uint64_t read_nsec, uint64_t changed_nsec);

/* Whether a process that was started at started_usec may have missed the change at changed_nsec.
 * started_usec is a time of CLOCK_REALTIME. True also if started_usec is UNKNOWN. */
bool has_started_before(uint64_t started_usec, uint64_t changed_nsec);

/* What the state file of an instance says about the files that its server has read. A field is
 * UNKNOWN if the state file does not contain it. */
typedef struct ReadFiles {
        uint64_t nsec;   /* when the server began to read */
        uint64_t others; /* the value of Instance.others in these files */
} ReadFiles;

/* dir: the folder of the state file; if dir is NULL, both fields are UNKNOWN. pid: the instance's
 * main process. */
ReadFiles stale_read_files(const char *dir);
ReadFiles stale_read_files_of(uint64_t pid);

/* Whether the hosts of other instances have changed since the server read the files: read->others,
 * a digest of these hosts, differs from instance->others. False if read->others is UNKNOWN. */
bool lacks_others(const ReadFiles *read, const Instance *instance);

/* Waits some milliseconds, until the clock that the times of files come from is later than
 * changed_nsec. A process that begins to read after the wait does not miss the change. */
void wait_past(uint64_t changed_nsec);
