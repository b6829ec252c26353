/* SPDX-License-Identifier: MIT */
/*
 * Reads the limits of an instance. systemd stores and enforces the limits of memory, processor and
 * tasks for the instance's unit. The kernel stores and enforces the limit of the disk, as a quota
 * of the user. bellhop stores no copy of these limits.
 */
#pragma once

#include "ctl/ask/bus.h"
#include "ctl/ask/quota.h"

typedef enum LimitKind {
        LIMIT_MEMORY, /* bytes */
        LIMIT_CPU,    /* microseconds of processor time per second */
        LIMIT_TASKS,
        LIMIT_DISK, /* bytes */
        LIMITS,
} LimitKind;

/* One percent of a processor, as a value of LIMIT_CPU. */
#define LIMIT_CPU_PERCENT 10000

extern const struct LimitRow {
        const char *option;   /* of bellhopctl, without "--" */
        const char *setting;  /* as in a unit file of systemd; for the disk, our own name */
        const char *property; /* the setting's name on D-Bus; NULL: systemd has no such setting */
        const char *form;     /* the form of a value, for a message */
} limits[LIMITS];

typedef struct Limits {
        uint64_t max[LIMITS]; /* the limit in force; UINT64_MAX: no limit */
        bool is_own[LIMITS];  /* the limit was set for this instance alone */
        int error[LIMITS];    /* why the limit is unknown; 0: it is known */
        uint64_t disk_used;   /* bytes; UINT64_MAX: not known */
} Limits;

/* Asks about n instances at once. systemd loads units that it does not have in memory. bus: NULL if
 * systemd can't be asked. bus_error: the reason if bus is NULL. Returns 0, or -ENOMEM. */
int limits_ask(sd_bus *bus, int bus_error, const char *const names[], size_t n, Limits ret[]);

/* Parses "1G", "150%" or "200". False: the text does not have the form for this kind, or the
 * value is out of range. */
bool limit_parse(LimitKind kind, const char *text, uint64_t *ret);

/* Returns the path of the drop-in in which systemd stores this limit of an instance. The caller
 * frees the path. */
char *limit_drop_in(LimitKind kind, const char *name);

/* Finds an existing folder on the file system where the pages of the instance are, or will be. */
void limit_disk_folder(const char *name, char ret[static PATH_MAX]);
