/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: one datagram to the receiver. The first byte says what comes with it: bits 0 and 1
 * the number of descriptors, bits 2 to 4 which, bit 5 from a wrong user. The rest are the bytes.
 * Whether it must be taken is worked out here once more, and no descriptor is ever left.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handoff/bellhop.h"

#define BYTES_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum kind { TCP, TCP_LISTENING, UDP, UNIX, PIPE, N_KINDS };

static int kinds[N_KINDS], pair[2];

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void set_up(void)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        const int on = 1;
        int other[2];

        kinds[TCP_LISTENING] = socket(AF_INET, SOCK_STREAM, 0);
        require(bind(kinds[TCP_LISTENING], (struct sockaddr *)&address, size) == 0);
        require(listen(kinds[TCP_LISTENING], 1) == 0);
        require(getsockname(kinds[TCP_LISTENING], (struct sockaddr *)&address, &size) == 0);
        kinds[TCP] = socket(AF_INET, SOCK_STREAM, 0);
        require(connect(kinds[TCP], (struct sockaddr *)&address, size) == 0);
        kinds[UDP] = socket(AF_INET, SOCK_DGRAM, 0);
        require(socketpair(AF_UNIX, SOCK_STREAM, 0, other) == 0);
        kinds[UNIX] = other[0];
        require(pipe(other) == 0);
        kinds[PIPE] = other[0];
        require(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0);
        require(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) == 0);
}

static void send_datagram(const uint8_t *data, size_t size, const int *fds, size_t n_fds)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int) * 3)];
                struct cmsghdr align;
        } control = { .bytes = { 0 } };
        struct iovec iov = { .iov_base = (void *)data, .iov_len = size };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
        struct cmsghdr *cmsg = &control.align;

        if (n_fds > 0) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
                cmsg->cmsg_level = SOL_SOCKET;
                cmsg->cmsg_type = SCM_RIGHTS;
                cmsg->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
                memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * n_fds);
        }
        require(sendmsg(pair[0], &message, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size);
}

static bool is_hand_off(const uint8_t *data, size_t size)
{
        return size >= 16 && memcmp(data, "BHOP\x01", 5) == 0 && data[5] >= 1 && data[5] <= 4 &&
               data[6] <= 2 && data[7] <= 253 && size == 16U + data[7] &&
               memchr(data + 16, 0, data[7]) == NULL;
}

/* The lowest free descriptor shows whether any below it was left open. */
static int lowest_free(void)
{
        const int fd = fcntl(pair[0], F_DUPFD_CLOEXEC, 0);

        require(fd >= 0 && close(fd) == 0);
        return fd;
}

static void check_taken(const struct bellhop_handoff *handoff, int fd, const uint8_t *data)
{
        int type = 0;
        socklen_t size = sizeof(type);

        require(handoff->reason == data[5] && handoff->protocol == data[6]);
        require(memcmp(&handoff->accepted_nsec, data + 8, 8) == 0);
        require(strlen(handoff->host) == data[7] && memcmp(handoff->host, data + 16, data[7]) == 0);
        require(fcntl(fd, F_GETFD) == FD_CLOEXEC);
        require(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM);
        require(close(fd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct bellhop_handoff handoff;
        int fds[3], fd = -1, free_before, r, expected = 0;
        bool foreign;
        size_t n_fds;

        if (size == 0 || size > BYTES_MAX)
                return 0;
        if (kinds[TCP] == 0)
                set_up();
        n_fds = data[0] & 3;
        foreign = data[0] & 32;
        for (size_t i = 0; i < 3; i++)
                fds[i] = kinds[(size_t)(data[0] >> 2 & 7) % N_KINDS];

        data++;
        size--;
        free_before = lowest_free();
        send_datagram(data, size, fds, n_fds);
        r = bellhop_receive(pair[1], geteuid() + foreign, &handoff, &fd);
        if (foreign)
                expected = BELLHOP_RECEIVE_FOREIGN;
        else if (!is_hand_off(data, size))
                expected = BELLHOP_RECEIVE_INVALID;
        else if (n_fds != 1 || fds[0] != kinds[TCP])
                expected = BELLHOP_RECEIVE_SOCKET;
        require(r == expected);
        if (r == 0)
                check_taken(&handoff, fd, data);
        else
                require(fd == -1);
        require(lowest_free() == free_before);
        require(bellhop_receive(pair[1], geteuid(), &handoff, &fd) == BELLHOP_RECEIVE_EMPTY);
        return 0;
}
