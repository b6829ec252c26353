/* SPDX-License-Identifier: MIT */
#include <assert.h>

#include "config/settings.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

void problem_done(Problem *problem)
{
        free(problem->instance);
        free(problem->file);
        free(problem->meant);
        free(problem->text);
}

/* False without memory. */
static bool problem_copy(const char *string, char **ret)
{
        *ret = string ? strdup(string) : NULL;
        return *ret || !string;
}

int problem_add_meant(SettingsFile *file, const char *meant, const char *format, ...)
{
        _cleanup_(problem_done)
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
        if (!problem.text || !problem_copy(file->path, &problem.file) ||
            !problem_copy(file->instance, &problem.instance) ||
            !problem_copy(meant, &problem.meant))
                return -ENOMEM;
        problem.what = problem.text + strlen(problem.text) - strlen(what);
        r = array_append(config->problems, config->n_problems, problem);
        if (r == 0)
                problem = (Problem){ .text = NULL };
        return r;
}

int problem_value(SettingsFile *file, Span value, const char *meant, const char *format, ...)
{
        _cleanup_free_ char *wrong = NULL;
        va_list args;

        assert(file->key);
        va_start(args, format);
        wrong = text_format_args(format, args);
        va_end(args);
        return wrong ? problem_add_meant(file, meant, "%s=%.*s %s", file->key, PROBLEM_SHOWN(value),
                                         wrong)
                     : -ENOMEM;
}
