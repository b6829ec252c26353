/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "instance/file-names.h"
#include "util/cleanup.h"

static const char *file_name_of(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* Returns the extension with its dot, or "" if the name has none. */
static const char *file_name_extension(const char *path)
{
        const char *dot = strrchr(file_name_of(path), '.');

        return dot ? dot : "";
}

bool file_name_is_php(const char *path)
{
        const char *end = file_name_extension(path);

        if (strncasecmp(end, ".ph", 3) != 0)
                return false;
        end += 3;
        if (strcasecmp(end, "t") == 0 || strcasecmp(end, "tml") == 0 || strcasecmp(end, "ar") == 0)
                return true;
        return (end[0] == 'p' || end[0] == 'P') &&
               (!end[1] || (end[1] >= '0' && end[1] <= '9' && !end[2]));
}

bool file_name_is_program(const char *path)
{
        static const char *const others[] = { ".phps", ".cgi", ".pl" };
        const char *end = file_name_extension(path);

        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                if (strcasecmp(end, others[i]) == 0)
                        return true;
        return file_name_is_php(path);
}

bool file_name_is_settings(const char *path)
{
        static const char *const begins[] = { ".ht", ".user.ini" };
        const char *name = file_name_of(path);

        for (size_t i = 0; i < ELEMENTSOF(begins); i++)
                if (strncmp(name, begins[i], strlen(begins[i])) == 0)
                        return true;
        return false;
}
