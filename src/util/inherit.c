/* SPDX-License-Identifier: MIT */
/* This file does not use libsystemd. It is also linked into mod_bellhop, so libsystemd and the
 * libraries that it needs would use memory in every Apache process. */
#include <fcntl.h>
#include <limits.h>
#include <sys/socket.h>

#include "util/cleanup.h"
#include "util/inherit.h"
#include "util/text.h"

static bool inherit_number(const char *variable, uint64_t *ret)
{
        const char *text = getenv(variable);

        return text && text_number(span_from_string(text), INT_MAX, ret);
}

static int inherit_all(Inherited *inherited, uint64_t n)
{
        const char *names = getenv("LISTEN_FDNAMES");
        _cleanup_free_ char *copy = strdup(names ? names : "");
        char *rest = copy;

        for (int fd = INHERIT_FD_FIRST; inherited->n < n; fd++) {
                const char *name = strsep(&rest, ":");

                if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
                        return -errno;
                if (texts_append(&inherited->names, &inherited->n, name ? name : "") < 0)
                        return -ENOMEM;
        }
        return 0;
}

int inherit_init(Inherited *inherited)
{
        uint64_t pid, n;
        int r = 0;

        *inherited = (Inherited){ .n = 0 };
        if (inherit_number("LISTEN_PID", &pid) && (pid_t)pid == getpid() &&
            inherit_number("LISTEN_FDS", &n))
                r = inherit_all(inherited, n);
        (void)unsetenv("LISTEN_PID");
        (void)unsetenv("LISTEN_FDS");
        (void)unsetenv("LISTEN_FDNAMES");
        if (r < 0)
                inherit_done(inherited);
        return r;
}

static bool inherit_option_is(int fd, int option, int wanted)
{
        socklen_t size = sizeof(int);
        int value;

        return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 && value == wanted;
}

static bool inherit_is_socket(int fd, int family, int type, int listening)
{
        return inherit_option_is(fd, SO_TYPE, type) &&
               (family == AF_UNSPEC || inherit_option_is(fd, SO_DOMAIN, family)) &&
               (listening < 0 || inherit_option_is(fd, SO_ACCEPTCONN, listening));
}

int inherit_take(Inherited *inherited, const char *name, int family, int type, int listening)
{
        for (size_t i = 0; i < inherited->n; i++) {
                const int fd = INHERIT_FD_FIRST + (int)i;

                if (inherited->names[i] && strcmp(inherited->names[i], name) == 0 &&
                    (type == 0 || inherit_is_socket(fd, family, type, listening))) {
                        free(take_ptr(inherited->names[i]));
                        return fd;
                }
        }
        return -ENOENT;
}

void inherit_done(Inherited *inherited)
{
        for (size_t i = 0; i < inherited->n; i++)
                if (inherited->names[i]) {
                        close_fd(INHERIT_FD_FIRST + (int)i);
                        free(inherited->names[i]);
                }
        free(inherited->names);
        *inherited = (Inherited){ .n = 0 };
}
