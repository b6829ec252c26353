/* SPDX-License-Identifier: MIT */
/*
 * Whether what runs has read its files as they are now. What counts is the time of the last change
 * of the inode, which copying and unpacking can't set back as they can the time of modification.
 * All times are nanoseconds since 1970; of a change, 0: nothing is there.
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

/* A file, or a folder with the files in it. */
uint64_t changed_below(const char *dir, const char *name);

/* All that the router reads, with the folders, since a file may have been removed. */
uint64_t changed_router(const char *config_dir);

/* Snippets, certificate and key of one instance. *ret_made: when the newer of their folders was
 * made (0: not known), since a running server does not see a new folder. A folder without snippets
 * does not count. */
uint64_t changed_instance(const char *config_dir, const char *name, uint64_t *ret_made);

/* The usual document root, whether or not it is there. */
void document_root_of(const char *name, char ret[static PATH_MAX]);

/* The newest of the document roots that hosts have below that of the instance, by when it was made:
 * later changes in it need no reload. ret: its path, if there is one. */
uint64_t made_host_folder(const char *document_root, const Hosts *hosts, char ret[static PATH_MAX]);

/* Whether a process that began to read at that time, by CLOCK_REALTIME_COARSE as files have it, may
 * lack the change. UNKNOWN: false, as nothing may be done because of what nobody knows. */
bool is_stale(uint64_t read_nsec, uint64_t changed_nsec);

/* Whether a process that was started then, by CLOCK_REALTIME, may lack the change. UNKNOWN: true,
 * as it is not known to have it. */
bool has_started_before(uint64_t started_usec, uint64_t changed_nsec);

/* What the server of an instance says that it has read. UNKNOWN: it does not say, or has not
 * begun. */
typedef struct ReadFiles {
        uint64_t nsec;   /* when it began to */
        uint64_t others; /* Instance.others */
} ReadFiles;

/* dir: where its state is, or NULL. pid: of the instance's main process. */
ReadFiles stale_read_files(const char *dir);
ReadFiles stale_read_files_of(uint64_t pid);

/* Whether its hosts of other instances differ from the instance's others. */
bool lacks_others(const ReadFiles *read, const Instance *instance);

/* Returns when a process that begins to read now has the change for certain: after some
 * milliseconds. */
void wait_past(uint64_t changed_nsec);
