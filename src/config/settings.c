/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <sys/stat.h>

#include "config/settings.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

static void settings_problem_done(Problem *problem)
{
        free(problem->instance);
        free(problem->file);
        free(problem->meant);
        free(problem->text);
}

void problems_done(Config *config)
{
        for (size_t i = 0; i < config->n_problems; i++)
                settings_problem_done(&config->problems[i]);
        free(config->problems);
        config->problems = NULL;
        config->n_problems = 0;
}

/* Sets *ret to a copy of string, or to NULL if string is NULL. Returns false if memory runs out. */
static bool settings_copy(const char *string, char **ret)
{
        *ret = string ? strdup(string) : NULL;
        return *ret || !string;
}

int problem_add(SettingsFile *file, const char *meant, const char *format, ...)
{
        _cleanup_(settings_problem_done)
                Problem problem = { .line = file->line, .lacks_user = file->lacks_user };
        Config *config = file->config;
        _cleanup_free_ char *what = NULL;
        va_list args;
        int r;

        if (file->n_problems++ >= PROBLEMS_PER_FILE_MAX)
                return 0;
        va_start(args, format);
        what = text_format_args(format, args);
        va_end(args);
        if (what && file->line > 0)
                problem.text = text_format("%s:%u: %s", file->path, file->line, what);
        else if (what)
                problem.text = text_format("%s: %s", file->path, what);
        if (!problem.text || !settings_copy(file->path, &problem.file) ||
            !settings_copy(file->instance, &problem.instance) ||
            !settings_copy(meant, &problem.meant))
                return -ENOMEM;
        problem.what = problem.text + strlen(problem.text) - strlen(what);
        r = array_append(config->problems, config->n_problems, problem);
        if (r == 0)
                problem = (Problem){ .text = NULL };
        return r;
}

static int settings_unknown_key(SettingsFile *file, const SettingsTable *table, Span key)
{
        size_t used = 0, least = SIZE_MAX;
        const char *nearest = "";
        char known[256] = "";

        for (size_t i = 0; i < table->n; i++) {
                const char *name = table->settings[i].key;
                const size_t distance = text_distance(key, span_from_string(name));

                if (distance < least) {
                        least = distance;
                        nearest = name;
                }
                if (used < sizeof(known))
                        used += (size_t)snprintf(known + used, sizeof(known) - used, " %s=", name);
        }
        /* If more than a third of the letters differ, the user probably did not mean the nearest
         * key. */
        if (least <= strlen(nearest) / 3)
                return problem_add(file, nearest, "unknown key %.*s= in [%s]; did you mean %s=?",
                                   PROBLEM_SHOWN(key), table->section, nearest);
        return problem_add(file, NULL, "unknown key %.*s= in [%s]; known keys are%s",
                           PROBLEM_SHOWN(key), table->section, known);
}

static int settings_assign(SettingsFile *file, const SettingsTable *table, const Line *line,
                           void *base)
{
        const size_t before = file->n_problems;
        Span rest = line->value, value = line->value;
        const Setting *setting = NULL;
        void *target;
        int r;

        for (size_t i = 0; !setting && i < table->n; i++)
                if (span_equals(line->key, table->settings[i].key))
                        setting = &table->settings[i];
        if (!setting)
                return settings_unknown_key(file, table, line->key);
        file->key = setting->key;
        target = (char *)base + setting->offset;
        do {
                if (setting->is_list)
                        (void)words_next(&rest, &value);
                r = setting->parse(file, value, target);
        } while (r == 0 && setting->is_list && rest.size > 0);
        if (r == 0 && file->n_problems == before && setting->high > 0 &&
            (*(uint64_t *)target < setting->low || *(uint64_t *)target > setting->high))
                r = problem_value(file, line->value, NULL, "is out of range; it must be %s",
                                  setting->range);
        file->key = NULL;
        return r;
}

int settings_parse(SettingsFile *file, Span text, const SettingsTable *table, void *base)
{
        enum { BEFORE, INSIDE, ELSEWHERE } section = BEFORE;
        LineReader reader = { .rest = text };
        Line line;
        int r = 0;

        while (r == 0 && file->n_problems < PROBLEMS_PER_FILE_MAX &&
               (line = lines_next(&reader)).kind != LINE_END) {
                file->line = reader.number;
                if (line.error)
                        r = problem_add(file, NULL, "%s", line.error);
                if (r < 0 || line.kind == LINE_INVALID)
                        continue;
                if (line.kind == LINE_SECTION) {
                        section = span_equals(line.key, table->section) ? INSIDE : ELSEWHERE;
                        if (section == ELSEWHERE)
                                r = problem_add(file, table->section,
                                                "unknown section [%.*s]; write [%s]",
                                                PROBLEM_SHOWN(line.key), table->section);
                } else if (section == INSIDE) {
                        r = settings_assign(file, table, &line, base);
                } else if (section == BEFORE) {
                        r = problem_add(file, table->section,
                                        "%.*s= is before any section; write [%s] above it",
                                        PROBLEM_SHOWN(line.key), table->section);
                }
        }
        file->line = 0;
        return r;
}

/* Anyone who can write to the file can direct connections of other instances to their own instance.
 * So the file must belong to root or to the user that runs this process, and only its owner may
 * write to it. Returns the error, or NULL. */
static const char *settings_check_file(const struct stat *st)
{
        if (!S_ISREG(st->st_mode))
                return "is not a regular file; replace it with one";
        if (st->st_size > CONFIG_FILE_MAX_BYTES)
                return "is larger than 64 MiB; split it";
        if (st->st_uid != 0 && st->st_uid != geteuid())
                return "must be owned by root (chown root)";
        if (st->st_mode & (S_IWGRP | S_IWOTH))
                return "must be writable only by its owner (chmod go-w)";
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
                if (errno == ENOENT)
                        return 0;
                /* These errors concern the whole process; any other error concerns only this file,
                 * and is reported as a problem. */
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        return -errno;
                return problem_add(file, NULL, "can't be read: %m; make it readable (chmod a+r)");
        }
        if (fstat(fd, &st) < 0)
                return -errno;
        wrong = settings_check_file(&st);
        if (wrong)
                return problem_add(file, NULL, "%s", wrong);

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

bool setting_is_bool(Span value, bool *ret)
{
        static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

        for (size_t i = 0; i < ELEMENTSOF(words); i++)
                if (span_equals(value, words[i])) {
                        *ret = i % 2 != 0;
                        return true;
                }
        return false;
}

int setting_choose(Span value, const char *const names[], int n)
{
        int i = 0;

        while (i < n && !span_equals(value, names[i]))
                i++;
        return i < n ? i : -1;
}

int setting_parse_bool(SettingsFile *file, Span value, void *target)
{
        return setting_is_bool(value, target)
                       ? 0
                       : problem_value(file, value, NULL, "is neither yes nor no");
}

typedef struct Unit {
        const char *name;
        uint64_t factor;
} Unit;

/* Parses a sum of numbers with units, such as "1h 30min". A single number without a unit, such as
 * "90", has the unit whose name is "". */
static bool settings_parse_quantity(Span value, const Unit *units, size_t n, uint64_t *ret)
{
        const size_t whole = value.size;
        uint64_t sum = 0;

        do {
                size_t digits = 0, size, unit = 0;
                uint64_t number;

                while (digits < value.size && text_is_digit(value.data[digits]))
                        digits++;
                size = digits;
                while (size < value.size && !text_is_digit(value.data[size]) &&
                       value.data[size] != ' ')
                        size++;
                while (unit < n &&
                       !span_equals((Span){ value.data + digits, size - digits }, units[unit].name))
                        unit++;
                /* If a number has no unit, it must be the whole value: "16 384" is a mistake, not a
                 * sum. */
                if ((size == digits && size != whole) || unit == n ||
                    !text_number((Span){ value.data, digits }, UINT64_MAX, &number) ||
                    __builtin_mul_overflow(number, units[unit].factor, &number) ||
                    __builtin_add_overflow(sum, number, &sum))
                        return false;
                while (size < value.size && value.data[size] == ' ')
                        size++;
                value = (Span){ .data = value.data + size, .size = value.size - size };
        } while (value.size > 0);
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
        if (text_number(value, UINT64_MAX, target))
                return 0;
        return problem_value(file, value, NULL, "is not a whole number");
}
