/* SPDX-License-Identifier: MIT */
/* Asks systemd (PID 1) about units over D-Bus. If no comment says otherwise, functions return 0 or
 * a negative errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "config/names.h"

/* One unit that systemd has in memory. */
typedef struct UnitState {
        const char *name;
        const char *active; /* "active", "inactive", "failed", "activating", ... */
} UnitState;

typedef struct Units {
        UnitState *units; /* sorted by name */
        size_t n;
        sd_bus_message *reply; /* owns the strings */
} Units;

/* Lists all units that match the pattern, such as "bellhop*". Makes only one call, so that it is
 * fast even with thousands of units. */
int bus_list_units(sd_bus *bus, const char *pattern, Units *ret);
void units_done(Units *units);

/* Returns NULL if systemd does not have the unit in memory. Such a unit is inactive. */
const UnitState *units_find(const Units *units, const char *name);
bool unit_is_active(const Units *units, const char *name);
/* Whether the unit is active, starting or reloading: its processes may already have read their
 * files. */
bool unit_has_begun(const Units *units, const char *name);

/* The same for one unit: 1, 0 or a negative errno. systemd does not load the unit for this answer,
 * so a drop-in that is written after this call takes effect when systemd loads the unit. */
int bus_is_active(sd_bus *bus, const char *unit);
int bus_has_begun(sd_bus *bus, const char *unit);

typedef enum PropertyKind {
        PROPERTY_STRING,  /* char *, to be freed */
        PROPERTY_NUMBER,  /* uint64_t; UINT64_MAX is "not known" or "no limit" */
        PROPERTY_BOOL,    /* bool */
        PROPERTY_STRINGS, /* char **, freed by bus_free_strings(); pairs are flattened */
} PropertyKind;

typedef struct BusQuestion {
        char unit[NAME_UNIT_MAX];
        const char *interface; /* "Unit", "Socket" or "Service" */
        const char *property;
        PropertyKind kind;
        void *ret; /* where to put the answer; unchanged if there is none */
        int error; /* a negative errno if there is no answer */
} BusQuestion;

/* Asks all questions at once, because one question at a time takes long with a thousand instances.
 * systemd loads each unit that a question is about. Returns 0 even if some questions have no
 * answer. */
int bus_ask(sd_bus *bus, BusQuestion questions[], size_t n);

/* Asks one question, in the same way as bus_ask(). */
int bus_get(sd_bus *bus, const char *unit, const char *interface, const char *property,
            PropertyKind kind, void *ret);
char **bus_free_strings(char **strings);

/* Gets the time when systemd last read all unit files, in microseconds since 1970. */
int bus_get_units_loaded(sd_bus *bus, uint64_t *ret_usec);

/* Gets the path of the file from which systemd loads a service's credential, and whether that file
 * is encrypted. *ret_path: to be freed; NULL: the service has no credential with that name. */
int bus_get_credential(sd_bus *bus, const char *unit, const char *name, char **ret_path,
                       bool *ret_encrypted);
