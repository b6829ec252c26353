/* SPDX-License-Identifier: MIT */
/* What systemd knows of our units, asked of PID 1 over D-Bus. Does not log; a negative errno says
 * why not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

/* -ENOENT and the like when systemd does not run here. */
int bus_open(sd_bus **ret);
sd_bus *bus_close(sd_bus *bus);

/* One unit that systemd has in memory. */
typedef struct UnitState {
        char *name;
        char *load;   /* "loaded", "not-found", "bad-setting", "masked", ... */
        char *active; /* "active", "inactive", "failed", "activating", ... */
        char *sub;    /* "listening", "running", "dead", ... */
} UnitState;

typedef struct Units {
        UnitState *units; /* sorted by name */
        size_t n;
} Units;

/* All that match the pattern ("bellhop*"), in one question: good for thousands. */
int bus_list_units(sd_bus *bus, const char *pattern, Units *ret);
void units_done(Units *units);

/* NULL: not in memory, so inactive. */
const UnitState *units_find(const Units *units, const char *name);
bool unit_is_active(const Units *units, const char *name);

#define UNIT_NAME_MAX 64

/* TEMPLATE@NAME.SUFFIX; unit_name(): of the template bellhop. */
void unit_name_of(const char *template, const char *instance, const char *suffix,
                  char ret[static UNIT_NAME_MAX]);
void unit_name(const char *instance, const char *suffix, char ret[static UNIT_NAME_MAX]);

/*
 * A property of a unit, which systemd loads for that. interface: "Unit", "Socket", "Service".
 * Numbers of both sizes come as uint64_t; UINT64_MAX is "not known" or "no limit".
 */
int bus_get_string(sd_bus *bus, const char *unit, const char *interface, const char *property,
                   char **ret);
int bus_get_number(sd_bus *bus, const char *unit, const char *interface, const char *property,
                   uint64_t *ret);
/* A list that ends with NULL, for bus_free_strings(). */
int bus_get_strings(sd_bus *bus, const char *unit, const char *interface, const char *property,
                    char ***ret);
void bus_free_strings(char **strings);

/* Where a service has the credential of that name from, encrypted or not. NULL: it has none. */
int bus_get_credential(sd_bus *bus, const char *unit, const char *name, char **ret_path,
                       bool *ret_encrypted);

/* The TCP ports that a socket unit is to listen on, each once. */
int bus_get_listen_ports(sd_bus *bus, const char *unit, uint16_t ports[], size_t size,
                         size_t *ret_n);
int bus_get_bool(sd_bus *bus, const char *unit, const char *interface, const char *property,
                 bool *ret);
