/* SPDX-License-Identifier: MIT */
/*
 * Keys and their meaning as tables: section, key, how the value is read, where it goes. What is
 * wrong with a file is collected as problems; reading goes on, so that one look at a file shows all
 * of them.
 */
#pragma once

#include "config/config.h"
#include "config/lines.h"

/* One file being read. */
typedef struct SettingsFile {
        const char *path;
        unsigned line;
        Span word;         /* that is being read; data NULL: the line as a whole */
        size_t n_problems; /* of this file */
        Config *config;    /* collects the problems */
} SettingsFile;

typedef struct Setting {
        const char *section;
        const char *key;
        /* 0, or a negative errno; a value that is wrong is reported by problem_add() */
        int (*parse)(SettingsFile *file, const char *key, Span value, void *target);
        size_t offset; /* of the target in the structure that is being filled */
} Setting;

/* Fills the structure at base as the table says. Every key must be known, in its section. */
int settings_parse(SettingsFile *file, Span text, const Setting *table, size_t n, void *base);

/* Reads a whole file that root (or who we are) owns and nobody else may write. -ENOENT when there
 * is none; other reasons not to use it are reported, with 0 and *ret NULL. */
int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size);

int setting_parse_bool(SettingsFile *file, const char *key, Span value, void *target);
int setting_parse_timespan(SettingsFile *file, const char *key, Span value,
                           void *target); /* microseconds */
int setting_parse_size(SettingsFile *file, const char *key, Span value, void *target); /* bytes */
int setting_parse_count(SettingsFile *file, const char *key, Span value, void *target);

/* How many bytes of a value a problem shows: as precision of %.*s. */
int setting_shown(Span value);

/* "FILE:LINE: " (without ":LINE" when line is 0) and the text. Returns 0 or -ENOMEM. */
int problem_add(SettingsFile *file, const char *format, ...) __attribute__((format(printf, 2, 3)));
