/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "util/cleanup.h"
#include "util/text.h"

static const Setting *settings_find(const Setting *table, size_t n, Span section, Span key)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(section, table[i].section) && span_equals(key, table[i].key))
                        return &table[i];
        return NULL;
}

static bool settings_have_section(const Setting *table, size_t n, Span section)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(section, table[i].section))
                        return true;
        return false;
}

/* The key of the section that was probably meant, or NULL. */
static const char *settings_nearest(const Setting *table, size_t n, Span section, Span key)
{
        size_t least = SIZE_MAX;
        const char *nearest = NULL;

        for (size_t i = 0; i < n; i++) {
                const size_t distance = text_distance(key, span_from_string(table[i].key));

                if (span_equals(section, table[i].section) && distance < least) {
                        least = distance;
                        nearest = table[i].key;
                }
        }
        /* More than a third of the letters is more than a typing mistake. */
        return nearest && least <= strlen(nearest) / 3 ? nearest : NULL;
}

static int settings_unknown_key(SettingsFile *file, const Setting *table, size_t n, Span section,
                                Span key)
{
        const char *nearest = settings_nearest(table, n, section, key);
        char known[256] = "";
        size_t used = 0;
        int r;

        for (size_t i = 0; i < n && used < sizeof(known); i++)
                if (span_equals(section, table[i].section))
                        used += (size_t)snprintf(known + used, sizeof(known) - used,
                                                 "%s%s=", used ? " " : "", table[i].key);
        file->word = key;
        r = problem_add_meant(file, PROBLEM_KEY, nearest, "unknown key %.*s= in [%.*s]; %s%s%s",
                              problem_shown(key), (const char *)key.data, problem_shown(section),
                              (const char *)section.data, nearest ? "did you mean " : "known are ",
                              nearest ? nearest : known, nearest ? "=?" : "");
        file->word = (Span){ .size = 0 };
        return r;
}

static int settings_parse_value(SettingsFile *file, const Setting *setting, Span value,
                                void *target)
{
        const size_t before = file->n_problems;
        const int r = setting->parse(file, value, target);

        if (r < 0 || file->n_problems > before || setting->high == 0 ||
            (*(uint64_t *)target >= setting->low && *(uint64_t *)target <= setting->high))
                return r;
        return problem_value(file, value, NULL, "is out of range; it must be %s", setting->range);
}

static int settings_assign(SettingsFile *file, const Setting *table, size_t n, Span section,
                           const Line *line, void *base)
{
        const Setting *setting = settings_find(table, n, section, line->key);
        int r;

        if (section.size == 0)
                return problem_add_meant(file, PROBLEM_NO_SECTION, table[0].section,
                                         "%.*s= is before any section; write [%s] above it",
                                         problem_shown(line->key), (const char *)line->key.data,
                                         table[0].section);
        if (!setting)
                return settings_unknown_key(file, table, n, section, line->key);
        file->key = setting->key;
        r = settings_parse_value(file, setting, line->value, (char *)base + setting->offset);
        file->key = NULL;
        return r;
}

static int settings_unknown_section(SettingsFile *file, const Setting *table, Span section)
{
        return problem_add_meant(file, PROBLEM_SECTION, table[0].section,
                                 "unknown section [%.*s]; write [%s]", problem_shown(section),
                                 (const char *)section.data, table[0].section);
}

int settings_parse(SettingsFile *file, Span text, const Setting *table, size_t n, void *base)
{
        LineReader reader = { .rest = text };
        Span section = { .size = 0 };
        bool section_known = true;
        int r = 0;

        while (r == 0 && file->n_problems < PROBLEMS_PER_FILE_MAX) {
                const Line line = lines_next(&reader);

                file->line = line.number;
                switch (line.kind) {
                case LINE_END:
                        file->line = 0;
                        return 0;
                case LINE_INVALID:
                        r = problem_add(file, PROBLEM_SYNTAX, "%s", line.error);
                        break;
                case LINE_SECTION:
                        section = line.key;
                        section_known = settings_have_section(table, n, section);
                        if (!section_known)
                                r = settings_unknown_section(file, table, section);
                        break;
                case LINE_ASSIGNMENT:
                        if (section_known)
                                r = settings_assign(file, table, n, section, &line, base);
                        break;
                }
        }
        file->line = 0;
        return r;
}

/* Whoever writes a route can take another instance's visitors: root alone may, or who we are when
 * run without root. Returns what is wrong, or NULL. */
static const char *settings_check_file(const struct stat *st, ProblemKind *ret_kind)
{
        *ret_kind = PROBLEM_FILE_UNUSABLE;
        if (!S_ISREG(st->st_mode))
                return "is not a regular file; replace it by one";
        if (st->st_size > CONFIG_FILE_MAX_BYTES)
                return "is larger than 64 MiB; split it";
        *ret_kind = PROBLEM_FILE_OWNER;
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "must be owned by root (chown root)";
        *ret_kind = PROBLEM_FILE_MODE;
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return "must be writable by its owner alone (chmod go-w)";
        return NULL;
}

int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_free_ char *text = NULL;
        const char *wrong;
        ProblemKind kind;
        struct stat st;
        size_t size = 0;

        *ret = NULL;
        if (fd < 0) {
                /* All but these is about this file alone, and leaves out no other. */
                if (errno == ENOENT || errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        return -errno;
                return problem_add(file, PROBLEM_FILE_UNUSABLE,
                                   "can't be read: %m; make it readable (chmod a+r)");
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        wrong = settings_check_file(&st, &kind);
        if (wrong)
                return problem_add(file, kind, "%s", wrong);

        text = malloc((size_t)st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t)st.st_size) {
                const ssize_t n = read(fd, text + size, (size_t)st.st_size - size);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t)n;
        }
        *ret = take_ptr(text);
        *ret_size = size;
        return 0;
}

int setting_parse_bool(SettingsFile *file, Span value, void *target)
{
        static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no",
                                                                                       "false",
                                                                                       "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                if (span_equals(value, yes[i]) || span_equals(value, no[i])) {
                        *(bool *)target = span_equals(value, yes[i]);
                        return 0;
                }
        return problem_value(file, value, NULL, "is neither yes nor no");
}

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

static bool settings_find_unit(const Unit *units, size_t n, Span name, uint64_t *ret)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(name, units[i].name)) {
                        *ret = units[i].factor;
                        return true;
                }
        return false;
}

static bool settings_is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

/* Sum of numbers with units: "90", "10min", "1h 30min". The unit "" is that of a bare number. */
static bool settings_parse_quantity(Span value, const Unit *units, size_t n, uint64_t *ret)
{
        const size_t whole = value.size;
        uint64_t sum = 0;

        if (whole == 0)
                return false;
        while (value.size > 0) {
                uint64_t number = 0, factor;
                size_t digits = 0, size;

                for (; digits < value.size && settings_is_digit(value.data[digits]); digits++)
                        if (__builtin_mul_overflow(number, 10U, &number) ||
                            __builtin_add_overflow(number, value.data[digits] - '0', &number))
                                return false;
                size = digits;
                while (size < value.size && !settings_is_digit(value.data[size]) &&
                       value.data[size] != ' ')
                        size++;
                /* A bare number stands alone: "16 384" is not 400. */
                if (digits == 0 || (size == digits && size != whole) ||
                    !settings_find_unit(units, n, (Span){ value.data + digits, size - digits },
                                        &factor) ||
                    __builtin_mul_overflow(number, factor, &number) ||
                    __builtin_add_overflow(sum, number, &sum))
                        return false;
                while (size < value.size && value.data[size] == ' ')
                        size++;
                value = (Span){ .data = value.data + size, .size = value.size - size };
        }
        *ret = sum;
        return true;
}

int setting_parse_timespan(SettingsFile *file, Span value, void *target)
{
        static const Unit units[] = {
                { "", 1000000 },
                { "us", 1 },
                { "ms", 1000 },
                { "s", 1000000 },
                { "sec", 1000000 },
                { "m", 60 * UINT64_C(1000000) },
                { "min", 60 * UINT64_C(1000000) },
                { "h", 3600 * UINT64_C(1000000) },
                { "d", 86400 * UINT64_C(1000000) },
        };

        if (settings_parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_value(file, value, NULL,
                             "is not a time span; write for example 30s, 10min or 1h 30min");
}

int setting_parse_size(SettingsFile *file, Span value, void *target)
{
        static const Unit units[] = {
                { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", 1 << 30 }
        };

        if (settings_parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_value(file, value, NULL, "is not a size; write bytes, or for example 64K");
}

int setting_parse_count(SettingsFile *file, Span value, void *target)
{
        static const Unit units[] = { { "", 1 } };

        if (settings_parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_value(file, value, NULL, "is not a whole number");
}
