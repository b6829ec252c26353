/* SPDX-License-Identifier: MIT */
/*
 * What an instance may use at most. Memory, processor and tasks are limits of its unit, which
 * systemd keeps and heeds; the disk is a quota of its user, which the kernel does. bellhop has no
 * copy of them.
 */
#pragma once

#include "ctl/ask/bus.h"
#include "ctl/ask/quota.h"

typedef enum LimitKind {
        LIMIT_MEMORY, /* bytes */
        LIMIT_CPU,    /* microseconds of processor time in a second */
        LIMIT_TASKS,
        LIMIT_DISK, /* bytes */
        LIMITS,
} LimitKind;

/* One percent of a processor. */
#define LIMIT_CPU_PERCENT 10000

extern const struct LimitRow {
        const char *option;   /* of bellhopctl, without "--" */
        const char *setting;  /* systemd's, as in a unit file; of the disk, ours */
        const char *property; /* the same on D-Bus; NULL: not systemd's */
        const char *form;     /* "is " and this: what a value must be */
} limits[LIMITS];

typedef struct Limits {
        uint64_t max[LIMITS]; /* in force; UINT64_MAX: there is none */
        bool is_own[LIMITS];  /* not only that which all instances have */
        int error[LIMITS];    /* why it is not known; 0: it is */
        uint64_t disk_used;   /* bytes; UINT64_MAX: not known */
} Limits;

/* Asks about n instances at once; a unit that systemd does not have in memory is loaded. bus NULL:
 * there is no systemd to ask, for that reason. Returns 0, or -ENOMEM. */
int limits_ask(sd_bus *bus, int bus_error, const char *const names[], size_t n, Limits ret[]);

/* Reads "1G", "150%", "200". False: it is of another form, or out of range. */
bool limit_parse(LimitKind kind, const char *text, uint64_t *ret);

/* The drop-in by which systemd keeps such a limit of an instance; a string to be freed. */
char *limit_drop_in(LimitKind kind, const char *name);

/* The folder whose file system holds the pages of an instance, which may not be there yet. */
void limit_disk_folder(const char *name, char ret[static PATH_MAX]);
