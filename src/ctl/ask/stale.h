/* SPDX-License-Identifier: MIT */
/*
 * Whether running programs have read their present files. The time of a change is that of the
 * inode, because copying and unpacking can set back the time of modification. All times are
 * nanoseconds since 1970. The time of a change is 0 if the file does not exist.
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

/* The last change of a file, or of a folder and the files in it. */
uint64_t changed_below(const char *dir, const char *name);

/* The last change of the files that the router reads, and of their folders, because a file may have
 * been removed. */
uint64_t changed_router(const char *config_dir);

/* The last change of snippets, certificate and key of one instance. *ret_made: the creation of the
 * newer of their folders (0: unknown), because a running server does not see a new folder. A folder
 * without snippets does not count. */
uint64_t changed_instance(const char *config_dir, const char *name, uint64_t *ret_made);

/* The usual document root, whether or not it exists. */
void document_root_of(const char *name, char ret[static PATH_MAX]);

/* Finds the newest document root of a host below that of the instance. Returns its creation,
 * because later changes in it need no reload. ret: its path, if there is one. */
uint64_t made_host_folder(const char *document_root, const Hosts *hosts, char ret[static PATH_MAX]);

/* Whether a process that began to read at that time, by CLOCK_REALTIME_COARSE like file times, may
 * lack the change. UNKNOWN: false, because an unknown time must cause no action. */
bool is_stale(uint64_t read_nsec, uint64_t changed_nsec);

/* Whether a process that was started at that time, by CLOCK_REALTIME, may lack the change. UNKNOWN:
 * true, because it may lack it. */
bool has_started_before(uint64_t started_usec, uint64_t changed_nsec);

/* The time when the server of an instance read its files, as it reports. UNKNOWN: it does not
 * report, or has not begun to read. */
typedef struct ReadFiles {
        uint64_t nsec;   /* when the server began to read */
        uint64_t others; /* Instance.others */
} ReadFiles;

/* dir: the folder of the report, or NULL. pid: the instance's main process. */
ReadFiles stale_read_files(const char *dir);
ReadFiles stale_read_files_of(uint64_t pid);

/* Whether the server has read other hosts of other instances than Instance.others. */
bool lacks_others(const ReadFiles *read, const Instance *instance);

/* Waits some milliseconds. A process that begins to read after this certainly reads the change. */
void wait_past(uint64_t changed_nsec);
