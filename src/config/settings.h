/* SPDX-License-Identifier: MIT */
/* Reads a configuration file with the help of a table. Each row of the table has a key, the parser
 * of its value, and the target, in which the parser stores the value. After a mistake, reads on, so
 * that the user sees all mistakes at once. Each mistake becomes a Problem. */
#pragma once

#include <assert.h>

#include "config/config.h"
#include "config/lines.h"

/* A file that is being read. */
typedef struct SettingsFile {
        const char *path;
        const char *instance; /* the instance of the file; NULL: not an instance's file */
        unsigned line;
        const char *key;   /* the setting that is being read, as in the table; NULL: none */
        bool lacks_user;   /* Problem.lacks_user of the next problem */
        size_t n_problems; /* the number of problems in this file */
        Config *config;    /* collects the problems */
} SettingsFile;

typedef struct Setting {
        const char *key;
        /* Returns 0 or a negative errno. Reports a wrong value with problem_value(). */
        int (*parse)(SettingsFile *file, Span value, void *target);
        bool is_list;  /* parse is called for each word of the value, or once for an empty value */
        size_t offset; /* of the target in the structure */
        uint64_t low, high; /* the range of a uint64_t target; high 0: no range */
        const char *range;  /* the range, as text for people */
} Setting;

/* All settings that a file can have. They are all in one section. */
typedef struct SettingsTable {
        const char *section;
        const Setting *settings;
        size_t n;
} SettingsTable;

/* Parses the text of a file into the structure at base. A key is a mistake if it is not in the
 * table, or if it is outside the section. */
int settings_parse(SettingsFile *file, Span text, const SettingsTable *table, void *base);

/* Reads a whole file. The caller frees *ret. If the file does not exist, returns 0 and sets *ret to
 * NULL. If the file can't be used, for example because other users can write to it, does the same,
 * and also adds a problem. */
int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size);

/* Sets *ret to true if the value means yes, and to false if it means no. If it means neither,
 * returns false, and leaves *ret unchanged. */
bool setting_is_bool(Span value, bool *ret);

/* Returns the index of the name that equals the value, or -1. */
int setting_choose(Span value, const char *const names[], int n);

/* Parsers for Setting.parse. The comment after each line is the type of the target. */
int setting_parse_bool(SettingsFile *file, Span value, void *target);     /* bool */
int setting_parse_timespan(SettingsFile *file, Span value, void *target); /* uint64_t: usec */
int setting_parse_size(SettingsFile *file, Span value, void *target);     /* uint64_t: bytes */
int setting_parse_count(SettingsFile *file, Span value, void *target);    /* uint64_t */

/* At most this many problems are reported for a file. If the file is not a configuration file but,
 * for example, a log, each of its lines is a mistake, and the first ones are enough. */
#define PROBLEMS_PER_FILE_MAX 20

/* The arguments for %.*s that show a value in a problem. A long value is cut off. */
#define PROBLEM_SHOWN_MAX 80
#define PROBLEM_SHOWN(value)                                                        \
        (int)((value).size > PROBLEM_SHOWN_MAX ? PROBLEM_SHOWN_MAX : (value).size), \
                (const char *)(value).data

/* Adds a problem about the line file->line. meant: as in Problem. Returns 0 or -ENOMEM. */
int problem_add(SettingsFile *file, const char *meant, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Does the same as problem_add(). value: the value of the setting file->key, or one word of the
 * value. Puts "KEY=VALUE " before the formatted text. format must be a literal. */
#define problem_value(file, value, meant, format, ...)                                         \
        ({                                                                                     \
                assert((file)->key);                                                           \
                problem_add(file, meant, "%s=%.*s " format, (file)->key, PROBLEM_SHOWN(value), \
                            ##__VA_ARGS__);                                                    \
        })

/* Frees the problems of config, and nothing else in it. */
void problems_done(Config *config);

/* Reads DIR/router.conf and DIR/router.conf.d/X.conf into config->router. A file with a mistake
 * changes no setting. Returns 0 or a negative errno. */
int router_settings_load(Config *config, const char *dir);
