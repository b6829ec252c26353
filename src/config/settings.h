/* SPDX-License-Identifier: MIT */
/*
 * Reads a configuration file by a table: section, key, how the value is parsed, where it goes.
 * Mistakes are collected as problems and reading goes on, so that all of them are shown at once.
 */
#pragma once

#include "config/config.h"
#include "config/lines.h"

/* One file being read. */
typedef struct SettingsFile {
        const char *path;
        const char *instance; /* whose file it is; NULL: the router's */
        unsigned line;
        const char *key;   /* the setting that is being read, as in the table; NULL: none */
        Span word;         /* of its value that is being read; data NULL: the line as a whole */
        size_t n_problems; /* of this file */
        Config *config;    /* collects the problems */
} SettingsFile;

typedef struct Setting {
        const char *section;
        const char *key;
        /* 0, or a negative errno; a wrong value is reported by problem_value() */
        int (*parse)(SettingsFile *file, Span value, void *target);
        size_t offset;      /* of the target in the structure that is being filled */
        uint64_t low, high; /* of a uint64_t; high 0: any */
        const char *range;  /* the same for people */
} Setting;

/* Fills the structure at base as the table says. Every key must be known, in its section. */
int settings_parse(SettingsFile *file, Span text, const Setting *table, size_t n, void *base);

/* Reads a whole file that root or our own user owns and nobody else may write; *ret is to be freed.
 * -ENOENT: it does not exist. 0 with *ret NULL: it can't be used, as a problem says. */
int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size);

int setting_parse_bool(SettingsFile *file, Span value, void *target);     /* bool */
int setting_parse_timespan(SettingsFile *file, Span value, void *target); /* uint64_t: usec */
int setting_parse_size(SettingsFile *file, Span value, void *target);     /* uint64_t: bytes */
int setting_parse_count(SettingsFile *file, Span value, void *target);    /* uint64_t */

/* A file that is no configuration has an error in every line; more than these are not reported. */
#define PROBLEMS_PER_FILE_MAX 20

/* How many bytes of a value a problem shows: as precision of %.*s. */
int problem_shown(Span value);

/* Adds what is wrong at the place where file is. meant is as in Problem. Returns 0 or -ENOMEM. */
int problem_add_meant(SettingsFile *file, ProblemKind kind, const char *meant, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));
#define problem_add(file, kind, ...) problem_add_meant(file, kind, NULL, __VA_ARGS__)

/* The same for a value, or one word of it, of the setting that is being read: adds PROBLEM_VALUE
 * with the text "KEY=VALUE " and what format says. */
int problem_value(SettingsFile *file, Span value, const char *meant, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
