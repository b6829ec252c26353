/* SPDX-License-Identifier: MIT */
/* A hand-off is one datagram, so it needs one system call on each side. */
#include <fcntl.h>
#include <sys/socket.h>

#include "handoff/bellhop.h"
#include "util/cleanup.h"
#include "util/unix-address.h"

/* The send buffer is so large that only the receiver's queue limits the number of unread hand-offs.
 */
#define SEND_BUFFER_BYTES (1024 * 1024)

int bellhop_connect(const char *path)
{
        struct sockaddr_un address;
        _cleanup_close_ int fd = -EBADF;
        const int address_size = unix_address_fill(path, &address), size = SEND_BUFFER_BYTES;

        if (address_size < 0)
                return address_size;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;

        /* The kernel limits this size to net.core.wmem_max. */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));

        if (connect(fd, (struct sockaddr *)&address, (socklen_t)address_size) < 0)
                return -errno;

        /* Rejects messages from the receiver, because they might contain descriptors. */
        if (shutdown(fd, SHUT_RD) < 0)
                return -errno;
        return take_fd(fd);
}

static int send_result(int error)
{
        switch (error) {
        case EAGAIN:
        case ENOBUFS:
                return BELLHOP_SEND_FULL;
        case ECONNREFUSED:
        case ECONNRESET:
        case ENOTCONN:
        case EPIPE:
                return BELLHOP_SEND_GONE;
        case ETOOMANYREFS:
                return BELLHOP_SEND_IN_FLIGHT;
        default:
                return -error;
        }
}

int bellhop_send(int handoff_fd, const struct bellhop_handoff *handoff, int fd)
{
        const size_t host_length = strnlen(handoff->host, sizeof(handoff->host));
        struct bellhop_header header = {
                .magic = { 'B', 'H', 'O', 'P' },
                .version = BELLHOP_PROTOCOL_VERSION,
                .reason = (uint8_t)handoff->reason,
                .protocol = (uint8_t)handoff->protocol,
                .host_length = (uint8_t)host_length,
                .accepted_nsec = handoff->accepted_nsec,
        };
        struct iovec iov[] = {
                { .iov_base = &header, .iov_len = sizeof(header) },
                { .iov_base = (void *)handoff->host, .iov_len = host_length },
        };
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = { 0 };
        struct msghdr message = {
                .msg_iov = iov,
                .msg_iovlen = ELEMENTSOF(iov),
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);

        if (host_length > BELLHOP_HOST_MAX || handoff->reason < BELLHOP_REASON_ADDRESS ||
            handoff->reason > BELLHOP_REASON_DEFAULT || handoff->protocol > BELLHOP_PROTOCOL_HTTP)
                return -EINVAL;

        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));

        for (;;) {
                if (sendmsg(handoff_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
                        return 0;
                if (errno != EINTR)
                        return send_result(errno);
        }
}
