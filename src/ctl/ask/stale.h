/* SPDX-License-Identifier: MIT */
/*
 * When files have changed: to see whether what runs has read them as they are. By the time of the
 * last change of the inode, which copying and unpacking can't set back, as they can the time of
 * modification. Nanoseconds since 1970; 0: nothing is there.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ctl/ask/bus-many.h"

uint64_t changed_file(const char *path);
uint64_t changed_inode(const struct stat *st);

/* All that the router reads, or the files of instances alone; folders too, as a file may have gone.
 */
uint64_t changed_router(const char *config_dir);
uint64_t changed_instances(const char *config_dir);

/* The snippets, certificate and key of one instance, in folders of its name; and when the latter
 * was made (0: not known), as a server that runs does not see a new one. */
uint64_t changed_site(const char *config_dir, const char *name, uint64_t *ret_tls_made);

/* Whether who has begun to read at that time, by CLOCK_REALTIME_COARSE as files have it, may lack a
 * change. */
bool is_behind(uint64_t read_nsec, uint64_t changed_nsec);

/* What systemd tells of a service, in microseconds since 1970. */
typedef struct ServerTimes {
        uint64_t started;  /* ExecMainStartTimestamp= of a service */
        uint64_t reloaded; /* when the last command of ExecReload= began, which is the signal */
} ServerTimes;

#define SERVER_QUESTIONS 2

/* What to ask systemd of a service, for its times. */
void server_questions(const char *unit, ServerTimes *times,
                      BusQuestion ret[static SERVER_QUESTIONS]);

/* When a server began to read its files, in nanoseconds since 1970. Not when it was ready: what has
 * changed in between, it may lack. */
uint64_t server_read(const ServerTimes *times);

/* Until who begins to read now can be told from who has read before the change: some milliseconds.
 */
void wait_past(uint64_t changed_nsec);
