/* SPDX-License-Identifier: MIT */
/* Hand-off sockets, connections over loopback, and datagrams as no honest sender writes them. */
#pragma once

#include "unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "handoff/bellhop.h"

#define SCM_FDS_MAX 253

/* A connection over loopback; what listens for it is gone already. */
static inline void tcp_pair(int ret_fds[static 2])
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        _cleanup_close_ int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(address);

        assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(listener, 1), 0);
        assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
        ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(ret_fds[0], (struct sockaddr *)&address, size), 0);
        ret_fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(ret_fds[1] >= 0);
}

/* [0] sends, [1] receives. */
static inline void handoff_pair(int ret_fds[static 2])
{
        const int on = 1;

        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ret_fds), 0);
        assert_int_equal(setsockopt(ret_fds[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
}

static inline void send_raw(int fd, const void *data, size_t size, const int *fds, size_t n_fds)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * SCM_FDS_MAX)];
                struct cmsghdr align;
        } control = { .bytes = { 0 } };
        struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (n_fds > 0) {
                struct cmsghdr *cmsg = &control.align;

                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
        }
        assert_int_equal(sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL), size);
}

static inline struct bellhop_header good_header(size_t host_length)
{
        return (struct bellhop_header){ .magic = { 'B', 'H', 'O', 'P' },
                                        .version = 1,
                                        .reason = BELLHOP_REASON_SERVER_NAME,
                                        .protocol = BELLHOP_PROTOCOL_TLS,
                                        .host_length = (uint8_t)host_length,
                                        .accepted_nsec = UINT64_C(0x1122334455667788) };
}
