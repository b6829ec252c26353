/* SPDX-License-Identifier: MIT */
/* Checks everything in a datagram. A refused datagram leaves no open descriptor. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "handoff/bellhop.h"
#include "util/cleanup.h"

/* SCM_MAX_FD of the kernel: a control message holds at most this number of descriptors. If the
 * buffer had no room for all of them, the kernel would set MSG_CTRUNC, as it does if the process
 * has no free descriptors. */
#define RECEIVE_FDS_MAX 253

typedef union Control {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int) * RECEIVE_FDS_MAX)];
        struct cmsghdr align;
} Control;

typedef struct Received {
        struct ucred sender;
        bool has_sender;
        int fd;       /* the first descriptor */
        size_t n_fds; /* the number of all descriptors; the others are already closed */
} Received;

static void receive_take_fds(Received *received, const struct cmsghdr *cmsg)
{
        const size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        for (size_t i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(int), sizeof(int));
                if (received->n_fds++ == 0)
                        received->fd = fd;
                else
                        close_fd(fd);
        }
}

/* With SO_PASSCRED, a datagram has two control messages, the credentials and the descriptors, so
 * this function reads all of them. */
static void receive_collect(Received *received, struct msghdr *message)
{
        for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(message); cmsg;
             cmsg = CMSG_NXTHDR(message, cmsg)) {
                if (cmsg->cmsg_level != SOL_SOCKET)
                        continue;
                if (cmsg->cmsg_type == SCM_RIGHTS) {
                        receive_take_fds(received, cmsg);
                } else if (cmsg->cmsg_type == SCM_CREDENTIALS &&
                           cmsg->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
                        memcpy(&received->sender, CMSG_DATA(cmsg), sizeof(struct ucred));
                        received->has_sender = true;
                }
        }
}

static bool receive_header_is_valid(const struct bellhop_header *header, const char *host,
                                    size_t size)
{
        return size >= sizeof(*header) &&
               memcmp(header->magic, BELLHOP_MAGIC, sizeof(header->magic)) == 0 &&
               header->version == BELLHOP_PROTOCOL_VERSION &&
               header->reason >= BELLHOP_REASON_ADDRESS &&
               header->reason <= BELLHOP_REASON_DEFAULT &&
               header->protocol <= BELLHOP_PROTOCOL_HTTP &&
               header->host_length <= BELLHOP_HOST_MAX &&
               size == sizeof(*header) + header->host_length &&
               memchr(host, 0, header->host_length) == NULL;
}

/* Whether the descriptor is a connected TCP socket. Only a TCP socket over IPv4 or IPv6 has the
 * protocol IPPROTO_TCP and also the option TCP_INFO. The state in TCP_INFO shows whether the socket
 * is listening. A connection that the client has reset is valid: the server notices the reset, as
 * with accept(2). */
static bool receive_is_tcp(int fd)
{
        struct tcp_info info = { .tcpi_state = TCP_LISTEN };
        socklen_t info_size = offsetof(struct tcp_info, tcpi_ca_state), size = sizeof(int);
        int protocol = 0;

        return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) == 0 &&
               protocol == IPPROTO_TCP &&
               getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0 &&
               info.tcpi_state != TCP_LISTEN;
}

int bellhop_receive(int handoff_fd, uid_t sender_uid, struct bellhop_handoff *ret_handoff,
                    int *ret_fd)
{
        struct bellhop_header header;
        char host[BELLHOP_HOST_MAX + 1];
        struct iovec iov[] = {
                { .iov_base = &header, .iov_len = sizeof(header) },
                { .iov_base = host, .iov_len = sizeof(host) },
        };
        Control control;
        struct msghdr message = {
                .msg_iov = iov,
                .msg_iovlen = ELEMENTSOF(iov),
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };
        Received received = { .fd = -EBADF };
        _cleanup_close_ int fd = -EBADF;
        ssize_t size;

        do
                size = recvmsg(handoff_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        while (size < 0 && errno == EINTR);
        if (size < 0)
                return errno == EAGAIN ? BELLHOP_RECEIVE_EMPTY : -errno;

        receive_collect(&received, &message);
        fd = received.fd;

        if (!received.has_sender || received.sender.uid != sender_uid)
                return BELLHOP_RECEIVE_FOREIGN;
        /* The buffer has room for all control messages, so MSG_CTRUNC means that this process has
         * no free descriptors. The connection is lost, but with -EMFILE, the server can react. */
        if (message.msg_flags & MSG_CTRUNC)
                return -EMFILE;
        /* MSG_TRUNC is checked first: with this flag, size is only the size of the buffer. */
        if (message.msg_flags & MSG_TRUNC || !receive_header_is_valid(&header, host, (size_t)size))
                return BELLHOP_RECEIVE_INVALID;
        if (received.n_fds != 1 || !receive_is_tcp(fd))
                return BELLHOP_RECEIVE_SOCKET;

        ret_handoff->reason = header.reason;
        ret_handoff->protocol = header.protocol;
        ret_handoff->accepted_nsec = header.accepted_nsec;
        memcpy(ret_handoff->host, host, header.host_length);
        ret_handoff->host[header.host_length] = 0;
        *ret_fd = take_fd(fd);
        return 0;
}
