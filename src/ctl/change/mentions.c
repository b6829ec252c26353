/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>

#include "ctl/change/mentions.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/open-regular.h"
#include "util/text.h"

/* Whether this character, directly before or after a name, shows that the name is only a part of
 * something longer: a host, another name or a mail address. */
static bool mentions_joins(uint8_t c)
{
        return isalnum(c) || c == '_' || c == '-' || c == '.' || c == '@';
}

/* Whether the name, which begins at 'found', is a part of a unit's name, such as
 * bellhop@NAME.service. next: the text after the name. */
static bool mentions_is_unit(Span line, const uint8_t *found, const uint8_t *next)
{
        const size_t length = strlen("bellhop@");

        return (size_t)(found - line.data) >= length &&
               memcmp(found - length, "bellhop@", length) == 0 && next < line.data + line.size &&
               *next == '.';
}

bool mention_is_in(Span line, const char *name)
{
        const size_t length = strlen(name);
        const uint8_t *end, *found;

        line = span_trim(line);
        if (line.size == 0 || line.data[0] == '#' || line.data[0] == ';')
                return false;
        end = line.data + line.size;
        found = memmem(line.data, line.size, name, length);
        while (found) {
                const uint8_t *next = found + length;
                const bool begins = found == line.data || !mentions_joins(found[-1]);
                /* A full stop at the end of a sentence also ends the name. */
                const bool ends = next == end || !mentions_joins(*next) ||
                                  (*next == '.' && (next + 1 == end || !mentions_joins(next[1])));

                if ((begins && ends) || mentions_is_unit(line, found, next))
                        return true;
                found = memmem(found + 1, (size_t)(end - found - 1), name, length);
        }
        return false;
}

static int mentions_add_file(Mentions *mentions, int folder, const char *entry, const char *path,
                             const char *name)
{
        struct stat st;
        const int fd = open_regular(folder, entry, O_NOFOLLOW, &st);
        _cleanup_fclose_ FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
        _cleanup_free_ char *line = NULL;
        size_t size = 0;
        ssize_t n;

        if (fd < 0)
                return fd == -ENOENT || fd == -EINVAL || fd == -ELOOP ? 0 : fd;
        if (!file) {
                close_fd(fd);
                return -ENOMEM;
        }
        for (unsigned i = 1; (n = getline(&line, &size, file)) >= 0; i++) {
                Mention mention = { .line = i };

                if (!mention_is_in((Span){ (const uint8_t *)line, (size_t)n }, name))
                        continue;
                mention.file = strdup(path);
                if (!mention.file || array_append(mentions->mentions, mentions->n, mention) < 0) {
                        free(mention.file);
                        return -ENOMEM;
                }
        }
        return 0;
}

int mentions_add(Mentions *mentions, const char *path, const char *name, const char *except)
{
        const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        struct dirent **entries = NULL;
        int r = 0, n;

        if (fd < 0)
                return errno == ENOTDIR || errno == ELOOP
                               ? mentions_add_file(mentions, AT_FDCWD, path, path, name)
                               : (errno == ENOENT ? 0 : -errno);
        n = scandirat(fd, ".", &entries, NULL, alphasort);
        if (n < 0)
                r = -errno;
        for (int i = 0; i < n; i++) {
                _cleanup_free_ char *file = text_format("%s/%s", path, entries[i]->d_name);

                if (r == 0 && strncmp(entries[i]->d_name, except, strlen(except)) != 0)
                        r = file ? mentions_add_file(mentions, fd, entries[i]->d_name, file, name)
                                 : -ENOMEM;
                free(entries[i]);
        }
        free(entries);
        close_fd(fd);
        return r;
}

void mentions_done(Mentions *mentions)
{
        for (size_t i = 0; i < mentions->n; i++)
                free(mentions->mentions[i].file);
        free(mentions->mentions);
}
