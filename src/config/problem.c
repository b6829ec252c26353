/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "config/problem.h"
#include "config/settings.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

#define VALUE_SHOWN_MAX 80

static void problem_done(Problem *problem)
{
        free(problem->instance);
        free(problem->file);
        free(problem->word);
        free(problem->meant);
        free(problem->text);
}

Problem *problems_free(Problem *problems, size_t n)
{
        for (size_t i = 0; i < n; i++)
                problem_done(&problems[i]);
        free(problems);
        return NULL;
}

/* "FILE:LINE: what", or "FILE: what" where line is 0. */
static char *problem_text(const SettingsFile *file, const char *what)
{
        return file->line > 0 ? text_format("%s:%u: %s", file->path, file->line, what)
                              : text_format("%s: %s", file->path, what);
}

/* False without memory. */
static bool problem_copy(const char *string, char **ret)
{
        *ret = string ? strdup(string) : NULL;
        return *ret || !string;
}

int problem_add_meant(SettingsFile *file, ProblemKind kind, const char *meant, const char *format,
                      ...)
{
        _cleanup_(problem_done) Problem problem = { .kind = kind, .line = file->line };
        Config *config = file->config;
        _cleanup_free_ char *what = NULL;
        va_list args;
        int r;

        if (file->n_problems++ >= PROBLEMS_PER_FILE_MAX)
                return 0;
        va_start(args, format);
        what = text_format_args(format, args);
        va_end(args);
        problem.text = what ? problem_text(file, what) : NULL;
        if (!problem.text || !problem_copy(file->path, &problem.file) ||
            !problem_copy(file->instance, &problem.instance) ||
            !problem_copy(meant, &problem.meant))
                return -ENOMEM;
        if (file->word.data)
                problem.word = strndup((const char *)file->word.data, file->word.size);
        if (file->word.data && !problem.word)
                return -ENOMEM;
        problem.what = problem.text + strlen(problem.text) - strlen(what);
        problem.key = file->line > 0 ? file->key : NULL;
        r = array_append(config->problems, config->n_problems, problem);
        if (r == 0)
                problem = (Problem){ .text = NULL };
        return r;
}

int problem_shown(Span value)
{
        return value.size > VALUE_SHOWN_MAX ? VALUE_SHOWN_MAX : (int)value.size;
}

int problem_value(SettingsFile *file, Span value, const char *meant, const char *format, ...)
{
        _cleanup_free_ char *wrong = NULL;
        va_list args;

        assert(file->key);
        va_start(args, format);
        wrong = text_format_args(format, args);
        va_end(args);
        if (!wrong)
                return -ENOMEM;
        return problem_add_meant(file, PROBLEM_VALUE, meant, "%s=%.*s %s", file->key,
                                 problem_shown(value), (const char *)value.data, wrong);
}
