/* SPDX-License-Identifier: MIT */
/* Reads a configuration file with a table: key, parser of the value, and target. Collects mistakes
 * as problems and continues, so that all mistakes are shown at once. */
#pragma once

#include <assert.h>

#include "config/config.h"
#include "config/lines.h"

/* One file being read. */
typedef struct SettingsFile {
        const char *path;
        const char *instance; /* the instance of the file; NULL: the router's */
        unsigned line;
        const char *key;   /* the setting that is being read, as in the table; NULL: none */
        bool lacks_user;   /* of the next added problem */
        size_t n_problems; /* of this file */
        Config *config;    /* collects the problems */
} SettingsFile;

typedef struct Setting {
        const char *key;
        /* 0, or a negative errno; a wrong value is reported by problem_value() */
        int (*parse)(SettingsFile *file, Span value, void *target);
        bool is_list;       /* parse gets the words of the value one by one, or an empty value */
        size_t offset;      /* of the target in the structure */
        uint64_t low, high; /* of a uint64_t; high 0: any */
        const char *range;  /* the same for people */
} Setting;

/* All settings of a file, which are in one section. */
typedef struct SettingsTable {
        const char *section;
        const Setting *settings;
        size_t n;
} SettingsTable;

/* Fills the structure at base by the table. Every key must be known, and in the section. */
int settings_parse(SettingsFile *file, Span text, const SettingsTable *table, void *base);

/* Reads a whole file that root or our own user owns and nobody else may write; *ret is to be freed.
 * 0 with *ret NULL: it does not exist, or can't be used, and a problem has the reason. */
int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size);

/* Returns false, with *ret unchanged, if the value is neither yes nor no. */
bool setting_is_bool(Span value, bool *ret);

/* The number of the value among n names, or -1. */
int setting_choose(Span value, const char *const names[], int n);

int setting_parse_bool(SettingsFile *file, Span value, void *target);     /* bool */
int setting_parse_timespan(SettingsFile *file, Span value, void *target); /* uint64_t: usec */
int setting_parse_size(SettingsFile *file, Span value, void *target);     /* uint64_t: bytes */
int setting_parse_count(SettingsFile *file, Span value, void *target);    /* uint64_t */

/* The maximum of reported problems of a file: in a file of another kind, every line is a
 * mistake. */
#define PROBLEMS_PER_FILE_MAX 20

/* For %.*s: the part of a value that a problem shows. */
#define PROBLEM_SHOWN_MAX 80
#define PROBLEM_SHOWN(value)                                                        \
        (int)((value).size > PROBLEM_SHOWN_MAX ? PROBLEM_SHOWN_MAX : (value).size), \
                (const char *)(value).data

/* Adds an error at the position of file. meant: as in Problem. Returns 0 or -ENOMEM. */
int problem_add(SettingsFile *file, const char *meant, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Does the same for a value of the present setting, or one word of it: "KEY=VALUE " and the
 * formatted text; format is a literal. */
#define problem_value(file, value, meant, format, ...)                                         \
        ({                                                                                     \
                assert((file)->key);                                                           \
                problem_add(file, meant, "%s=%.*s " format, (file)->key, PROBLEM_SHOWN(value), \
                            ##__VA_ARGS__);                                                    \
        })

/* Frees the problems of a Config that has nothing else, or is being freed. */
void problems_done(Config *config);

/* Reads DIR/router.conf and DIR/router.conf.d/X.conf over config->router. A file with a mistake
 * changes no setting. Returns 0 or a negative errno. */
int router_settings_load(Config *config, const char *dir);
