/* SPDX-License-Identifier: MIT */
/*
 * Shows the lowest possible cost of a hand-off: calls accept4, recv(MSG_PEEK), sendmsg(SCM_RIGHTS)
 * and close, and does nothing else. For ./bench, this program runs instead of the router in copies
 * of the router's units. So both have the same kinds of sockets, scheduling, sandbox and receivers.
 * A connection goes to the first host that is anywhere in the peeked bytes, else to the last one.
 * Errors are not handled.
 *
 *   floor HANDOFF-SOCKET HOST [HANDOFF-SOCKET HOST]...
 *
 * Each listening socket has a thread that blocks in accept4, so there is no cost of epoll.
 */
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "handoff/bellhop.h"

static struct {
        int fd;
        char *host;
} targets[8];

static void serve(int listener)
{
        struct bellhop_header header = { .magic = { 'B', 'H', 'O', 'P' },
                                         .version = BELLHOP_PROTOCOL_VERSION,
                                         .reason = BELLHOP_REASON_SERVER_NAME };
        struct iovec iov[] = { { &header, sizeof(header) }, { 0 } };
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        const struct msghdr message = { .msg_iov = iov,
                                        .msg_iovlen = 2,
                                        .msg_control = &control,
                                        .msg_controllen = sizeof(control) };
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
        static _Thread_local uint8_t peek[65536];
        const int blocking = 0;

        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        (void)ioctl(listener, FIONBIO, &blocking); /* bellhop-seal made it non-blocking */
        for (;;) {
                const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                size_t i = 0;
                ssize_t n;

                if (fd < 0)
                        continue;
                n = recv(fd, peek, sizeof(peek), MSG_PEEK);
                header.protocol =
                        n > 0 && peek[0] == 22 ? BELLHOP_PROTOCOL_TLS : BELLHOP_PROTOCOL_HTTP;
                while (targets[i + 1].host && (n < 0 || !memmem(peek, (size_t)n, targets[i].host,
                                                                strlen(targets[i].host))))
                        i++;
                header.host_length = (uint8_t)strlen(targets[i].host);
                iov[1] = (struct iovec){ targets[i].host, header.host_length };
                memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
                (void)sendmsg(targets[i].fd, &message, MSG_NOSIGNAL);
                close(fd);
        }
}

static void *serve_thread(void *listener)
{
        serve((int)(intptr_t)listener);
        return NULL;
}

int main(int argc, char **argv)
{
        const int n = sd_listen_fds(0);

        if (argc < 3 || argc % 2 == 0 || argc > 15)
                return 2;
        for (int i = 0; i < argc / 2; i++) {
                targets[i].fd = bellhop_connect(argv[1 + 2 * i]);
                targets[i].host = argv[2 + 2 * i];
                if (targets[i].fd < 0)
                        return 1;
        }
        for (int i = 0; i < n; i++) {
                const int fd = SD_LISTEN_FDS_START + i;
                pthread_t thread;

                if (sd_is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 &&
                    pthread_create(&thread, NULL, serve_thread, (void *)(intptr_t)fd) != 0)
                        return 1;
        }
        (void)sd_notify(0, "READY=1");
        pause();
        return 0;
}
