/* SPDX-License-Identifier: MIT */
/*
 * Owns the reading of configuration files by table, and the forms of values. Does not log.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "util/cleanup.h"

/* A file that is none of ours has an error in every line: enough is enough. */
#define PROBLEMS_PER_FILE_MAX 20
#define VALUE_SHOWN_MAX       80

static int append_problem(SettingsFile *file, const Problem *problem)
{
        Config *config = file->config;
        Problem *problems =
                reallocarray(config->problems, config->n_problems + 1, sizeof(*problems));

        if (!problems)
                return -ENOMEM;
        config->problems = problems;
        problems[config->n_problems++] = *problem;
        return 0;
}

int problem_add(SettingsFile *file, const char *format, ...)
{
        _cleanup_free_ char *text = NULL, *whole = NULL, *path = NULL, *word = NULL;
        int r;
        char line[sizeof(":4294967295")] = "";
        va_list args;

        if (file->n_problems++ >= PROBLEMS_PER_FILE_MAX)
                return 0;

        va_start(args, format);
        r = vasprintf(&text, format, args);
        va_end(args);
        if (r < 0) {
                text = NULL;
                return -ENOMEM;
        }
        if (file->line > 0)
                snprintf(line, sizeof(line), ":%u", file->line);
        if (asprintf(&whole, "%s%s: %s", file->path, line, text) < 0) {
                whole = NULL;
                return -ENOMEM;
        }
        path = strdup(file->path);
        if (file->word.data)
                word = strndup((const char *)file->word.data, file->word.size);
        if (!path || (file->word.data && !word))
                return -ENOMEM;
        r = append_problem(file, &(Problem){ .text = whole,
                                             .file = path,
                                             .line = file->line,
                                             .what = whole + strlen(whole) - strlen(text),
                                             .word = word });
        if (r == 0)
                path = whole = word = NULL;
        return r;
}

int setting_shown(Span value)
{
        return value.size > VALUE_SHOWN_MAX ? VALUE_SHOWN_MAX : (int)value.size;
}

/* NULL with *ret_section_known when the key is not there. */
static const Setting *find_setting(const Setting *table, size_t n, Span section, Span key)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(section, table[i].section) && span_equals(key, table[i].key))
                        return &table[i];
        return NULL;
}

static bool section_is_known(const Setting *table, size_t n, Span section)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(section, table[i].section))
                        return true;
        return false;
}

static int unknown_key(SettingsFile *file, const Setting *table, size_t n, Span section, Span key)
{
        char known[256] = "";
        size_t used = 0;
        int r;

        if (section.size == 0)
                return problem_add(file, "%.*s= stands before any section; write [%s] above it",
                                   setting_shown(key), (const char *)key.data, table[0].section);
        for (size_t i = 0; i < n && used < sizeof(known); i++)
                if (span_equals(section, table[i].section))
                        used += (size_t)snprintf(known + used, sizeof(known) - used,
                                                 "%s%s=", used ? " " : "", table[i].key);
        file->word = key;
        r = problem_add(file, "unknown key %.*s= in [%.*s]; known are %s", setting_shown(key),
                        (const char *)key.data, setting_shown(section), (const char *)section.data,
                        known);
        file->word = (Span){ .size = 0 };
        return r;
}

int settings_parse(SettingsFile *file, Span text, const Setting *table, size_t n, void *base)
{
        LineReader reader = { .rest = text };
        Span section = { .size = 0 };
        bool section_known = true;

        while (file->n_problems < PROBLEMS_PER_FILE_MAX) {
                const Line line = lines_next(&reader);
                const Setting *setting;
                int r = 0;

                file->line = line.number;
                switch (line.kind) {
                case LINE_END:
                        file->line = 0;
                        return 0;
                case LINE_INVALID:
                        r = problem_add(file, "%s", line.error);
                        break;
                case LINE_SECTION:
                        section = line.key;
                        section_known = section_is_known(table, n, section);
                        if (!section_known)
                                r = problem_add(file, "unknown section [%.*s]; write [%s]",
                                                setting_shown(section), (const char *)section.data,
                                                table[0].section);
                        break;
                case LINE_ASSIGNMENT:
                        if (!section_known)
                                break;
                        setting = find_setting(table, n, section, line.key);
                        if (setting)
                                r = setting->parse(file, setting->key, line.value,
                                                   (char *)base + setting->offset);
                        else
                                r = unknown_key(file, table, n, section, line.key);
                        break;
                }
                if (r < 0)
                        return r;
        }
        file->line = 0;
        return 0;
}

/* Who may write a route may take a neighbour's visitors: root alone, or who we are when run without
 * root. */
static const char *check_owner(const struct stat *st)
{
        if (!S_ISREG(st->st_mode))
                return "is no regular file; replace it by one";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "must be owned by root (chown root)";
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return "must be writable by its owner alone (chmod go-w)";
        if (st->st_size > CONFIG_FILE_MAX_BYTES)
                return "is larger than 64 MiB; split it";
        return NULL;
}

int settings_read_file(SettingsFile *file, char **ret, size_t *ret_size)
{
        _cleanup_close_ int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        _cleanup_free_ char *text = NULL;
        const char *wrong;
        struct stat st;
        size_t size = 0;

        *ret = NULL;
        if (fd < 0) {
                /* All but these is about this file alone, and leaves out no other. */
                if (errno == ENOENT || errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        return -errno;
                return problem_add(file, "can't be read: %m; make it readable (chmod a+r)");
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        wrong = check_owner(&st);
        if (wrong)
                return problem_add(file, "%s", wrong);

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

int setting_parse_bool(SettingsFile *file, const char *key, Span value, void *target)
{
        static const char *const yes[] = { "yes", "true", "on", "1" }, *const no[] = { "no",
                                                                                       "false",
                                                                                       "off", "0" };

        for (size_t i = 0; i < ELEMENTSOF(yes); i++)
                if (span_equals(value, yes[i]) || span_equals(value, no[i])) {
                        *(bool *)target = span_equals(value, yes[i]);
                        return 0;
                }
        return problem_add(file, "%s=%.*s is neither yes nor no", key, setting_shown(value),
                           (const char *)value.data);
}

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

static bool unit_find(const Unit *units, size_t n, Span name, uint64_t *ret)
{
        for (size_t i = 0; i < n; i++)
                if (span_equals(name, units[i].name)) {
                        *ret = units[i].factor;
                        return true;
                }
        return false;
}

static bool is_digit(uint8_t c)
{
        return c >= '0' && c <= '9';
}

/* Sum of numbers with units: "90", "10min", "1h 30min". The unit "" is that of a bare number. */
static bool parse_quantity(Span value, const Unit *units, size_t n, uint64_t *ret)
{
        const size_t whole = value.size;
        uint64_t sum = 0;

        if (whole == 0)
                return false;
        while (value.size > 0) {
                uint64_t number = 0, factor;
                size_t digits = 0, size;

                for (; digits < value.size && is_digit(value.data[digits]); digits++)
                        if (__builtin_mul_overflow(number, 10U, &number) ||
                            __builtin_add_overflow(number, value.data[digits] - '0', &number))
                                return false;
                size = digits;
                while (size < value.size && !is_digit(value.data[size]) && value.data[size] != ' ')
                        size++;
                /* A bare number stands alone: "16 384" is not 400. */
                if (digits == 0 || (size == digits && size != whole) ||
                    !unit_find(units, n, (Span){ value.data + digits, size - digits }, &factor) ||
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

int setting_parse_timespan(SettingsFile *file, const char *key, Span value, void *target)
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

        if (parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_add(file,
                           "%s=%.*s is no time span; write for example 30s, 10min or 1h 30min", key,
                           setting_shown(value), (const char *)value.data);
}

int setting_parse_size(SettingsFile *file, const char *key, Span value, void *target)
{
        static const Unit units[] = {
                { "", 1 }, { "K", 1024 }, { "M", 1024 * 1024 }, { "G", 1 << 30 }
        };

        if (parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_add(file, "%s=%.*s is no size; write bytes, or for example 64K", key,
                           setting_shown(value), (const char *)value.data);
}

int setting_parse_count(SettingsFile *file, const char *key, Span value, void *target)
{
        static const Unit units[] = { { "", 1 } };

        if (parse_quantity(value, units, ELEMENTSOF(units), target))
                return 0;
        return problem_add(file, "%s=%.*s is no whole number", key, setting_shown(value),
                           (const char *)value.data);
}
