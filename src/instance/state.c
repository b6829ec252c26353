/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "config/lines.h"
#include "instance/state.h"
#include "util/cleanup.h"
#include "util/open-regular.h"
#include "util/text.h"

#define VERSION  1
#define NEW_FILE STATE_FILE ".new"

static const char *const state_kind_names[STATE_KINDS] = {
        [STATE_STARTING] = "starting",
        [STATE_READY] = "ready",
        [STATE_RELOADING] = "reloading",
        [STATE_STOPPING] = "stopping",
};

static const char *const state_reload_names[STATE_RELOADS] = {
        [STATE_RELOAD_NONE] = "none",
        [STATE_RELOAD_RUNNING] = "running",
        [STATE_RELOAD_DONE] = "done",
        [STATE_RELOAD_FAILED] = "failed",
};

size_t state_format(const State *state, char ret[static STATE_MAX_BYTES])
{
        const int n =
                snprintf(ret, STATE_MAX_BYTES,
                         "VERSION=%d\nSTATE=%s\nCONNECTIONS=%" PRIu64 "\nHANDOFFS=%" PRIu64
                         "\nLAST_HANDOFF_USEC=%" PRIu64 "\nREAD_USEC=%" PRIu64 "\nOTHERS=%" PRIu64
                         "\nRELOAD_USEC=%" PRIu64 "\nRELOAD=%s\n",
                         VERSION, state_kind_names[state->kind], state->n_open, state->n_handoffs,
                         state->last_handoff_usec, state->read_usec, state->others,
                         state->reload_usec, state_reload_names[state->reload]);

        assert(n > 0 && n < STATE_MAX_BYTES);
        return (size_t)n;
}

/* Returns the index of text in names, or n if it is not one of the n names. */
static unsigned state_parse_word(Span text, const char *const names[], unsigned n)
{
        unsigned i = 0;

        while (i < n && !span_equals(text, names[i]))
                i++;
        return i;
}

static bool state_parse_assignment(const Line *line, State *state, uint64_t *version)
{
        const struct {
                const char *key;
                uint64_t *value;
        } numbers[] = {
                { "VERSION", version },
                { "CONNECTIONS", &state->n_open },
                { "HANDOFFS", &state->n_handoffs },
                { "LAST_HANDOFF_USEC", &state->last_handoff_usec },
                { "READ_USEC", &state->read_usec },
                { "OTHERS", &state->others },
                { "RELOAD_USEC", &state->reload_usec },
        };

        for (size_t i = 0; i < ELEMENTSOF(numbers); i++)
                if (span_equals(line->key, numbers[i].key))
                        return text_number(line->value, UINT64_MAX, numbers[i].value);
        if (span_equals(line->key, "STATE"))
                state->kind = state_parse_word(line->value, state_kind_names, STATE_KINDS);
        if (span_equals(line->key, "RELOAD"))
                state->reload = state_parse_word(line->value, state_reload_names, STATE_RELOADS);
        return true;
}

bool state_parse(Span text, State *ret)
{
        LineReader reader = { .rest = text };
        State state = { .kind = STATE_KINDS };
        uint64_t version = 0;
        Line line;

        for (line = lines_next(&reader); line.kind != LINE_END; line = lines_next(&reader))
                if (line.kind != LINE_ASSIGNMENT || line.error ||
                    !state_parse_assignment(&line, &state, &version))
                        return false;
        if (version != VERSION || state.kind >= STATE_KINDS || state.reload >= STATE_RELOADS)
                return false;
        *ret = state;
        return true;
}

static int state_open_dir(const char *dir)
{
        const int fd = open(dir, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return fd < 0 ? -errno : fd;
}

int state_write(const char *dir, const State *state)
{
        _cleanup_close_ int dir_fd = state_open_dir(dir), fd = -EBADF;
        char text[STATE_MAX_BYTES];
        const size_t size = state_format(state, text);

        if (dir_fd < 0)
                return dir_fd;
        fd = openat(dir_fd, NEW_FILE,
                    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
        if (fd < 0)
                return -errno;
        if (write(fd, text, size) != (ssize_t)size)
                return -EIO;
        return renameat(dir_fd, NEW_FILE, dir_fd, STATE_FILE) < 0 ? -errno : 0;
}

char *state_dir_of(uint64_t pid, const char *dir)
{
        return text_format("/proc/%" PRIu64 "/root%s", pid, dir);
}

int state_read(const char *dir, State *ret)
{
        _cleanup_close_ int dir_fd = state_open_dir(dir), fd = -EBADF;
        char text[STATE_MAX_BYTES];
        struct stat st;
        ssize_t n;

        if (dir_fd < 0)
                return dir_fd;
        fd = open_regular(dir_fd, STATE_FILE, O_NOFOLLOW, &st);
        if (fd < 0)
                return fd == -EINVAL ? -EBADMSG : fd;
        n = read(fd, text, sizeof(text));
        if (n < 0)
                return -errno;
        /* In a truncated text, the last number could be wrong. */
        if (n == sizeof(text))
                return -EBADMSG;
        return state_parse((Span){ (const uint8_t *)text, (size_t)n }, ret) ? 0 : -EBADMSG;
}
