/* SPDX-License-Identifier: MIT */
/*
 * bellhop-seal PROGRAM [ARGUMENT...]: seals the inherited listening sockets (see seal.h), drops the
 * privilege that this requires, and becomes PROGRAM. So the router never has the privilege. A
 * connection that is older than its listener's seal needs its own seal. The first connection, which
 * has started the router, is always such a connection. bellhop-seal accepts these connections
 * without reading from them, and the router inherits them as descriptors named SEAL_EARLY_NAME.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/log.h"

/* The largest number of connections that bellhop-seal accepts. The router accepts all later ones,
 * and refuses those that it can't seal. */
#define EARLY_MAX 4096

/* Accepts and seals connections that wait in a listener. The parameter next is the number of the
 * next free descriptor. Returns its new value. */
static int accept_early(int listener, int next)
{
        for (; next < SD_LISTEN_FDS_START + EARLY_MAX; next++) {
                const int fd = accept4(listener, NULL, NULL, 0);

                if (fd != next || seal_connection(fd) < 0) {
                        close_fd(fd);
                        break;
                }
        }
        return next;
}

/* Seals the inherited sockets. Reports no errors, because the router itself finds out what has
 * failed. */
static int seal_inherited(int end)
{
        int next = end;

        for (int fd = SD_LISTEN_FDS_START; fd < end; fd++) {
                /* Lets the program inherit the descriptor: sd_listen_fds() has set close-on-exec in
                 * this process. */
                (void)fcntl(fd, F_SETFD, 0);
                if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) > 0 &&
                    seal_listener(fd) == 0 && ioctl(fd, FIONBIO, &(int){ 1 }) == 0)
                        next = accept_early(fd, next);
        }
        return next;
}

static int announce(int end, int next)
{
        const char *names = getenv("LISTEN_FDNAMES");
        _cleanup_free_ char *all = NULL, *count = NULL;
        size_t size;
        FILE *stream;

        if (next == end)
                return 0;
        stream = open_memstream(&all, &size);
        if (!stream)
                return -ENOMEM;
        fputs(names ? names : "", stream);
        for (int fd = end; fd < next; fd++)
                fputs(":" SEAL_EARLY_NAME, stream);
        if (fclose(stream) != 0 || asprintf(&count, "%d", next - SD_LISTEN_FDS_START) < 0)
                return -ENOMEM;
        return setenv("LISTEN_FDNAMES", all, 1) < 0 || setenv("LISTEN_FDS", count, 1) < 0 ? -errno
                                                                                          : 0;
}

int main(int argc, char *argv[])
{
        const int n = sd_listen_fds(0);
        const int end = SD_LISTEN_FDS_START + (n > 0 ? n : 0);

        int r;

        if (argc < 2) {
                log_open();
                log_error("no program to run was named; bellhop-router.service starts bellhop-seal "
                          "with one");
                return log_end(EXIT_FAILURE);
        }
        r = announce(end, seal_inherited(end));
        /* Without ambient capabilities, the program has no capability after execv(). */
        if (r == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0)
                (void)execv(argv[1], argv + 1);
        r = r < 0 ? r : -errno;
        /* The log must not be opened earlier: it would get the descriptor number of the first
         * accepted connection. */
        log_open();
        log_error_errno(r, "can't start %s: %m", argv[1]);
        return log_end(EXIT_FAILURE);
}
