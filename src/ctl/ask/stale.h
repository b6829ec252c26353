/* SPDX-License-Identifier: MIT */
/*
 * Whether what runs has read its files as they are now. What counts is the time of the last change
 * of the inode, which copying and unpacking can't set back as they can the time of modification.
 * All times are nanoseconds since 1970; of a change, 0: nothing is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ctl/ctl.h"

uint64_t changed_file(const char *path);
uint64_t changed_inode(const struct stat *st);

/* All that the router reads, or the instance files alone; with the folders, as a file may have
 * gone. */
uint64_t changed_router(const char *config_dir);
uint64_t changed_instances(const char *config_dir);

/* Snippets, certificate and key of one instance. *ret_tls_made: when the folder of the latter two
 * was made (0: not known), as a server that runs does not see a new one. */
uint64_t changed_instance(const char *config_dir, const char *name, uint64_t *ret_tls_made);

/* Whether a process that began to read at that time, by CLOCK_REALTIME_COARSE as files have it, may
 * lack the change. UNKNOWN: false, as nothing may be done because of what nobody knows. */
bool is_stale(uint64_t read_nsec, uint64_t changed_nsec);

/* When the server of an instance began to read its files, by its own word; dir: where its state is,
 * or NULL. UNKNOWN: it does not say, or has not begun. */
uint64_t stale_instance_read(const char *dir);

/* Returns when a process that begins to read now has the change for certain: after some
 * milliseconds. */
void wait_past(uint64_t changed_nsec);
