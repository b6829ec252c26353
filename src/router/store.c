/* SPDX-License-Identifier: MIT */
/*
 * Owns the form in which pending connections are stored. They are not stored one by one: systemd
 * compares each new descriptor with all that it has, which takes it seconds for thousands, and
 * passes the names of all in one environment variable, which execve(2) refuses above 128 KiB. So
 * they wait, with what must be known of them, in the queue of a socket pair, and it is the reading
 * end that is stored. One queue holds thousands.
 */
#include <assert.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "router/store.h"
#include "util/cleanup.h"

#define STORE_MAGIC UINT32_C(0x31504842)

/* systemd may be busy for a minute, for example with a daemon-reload; TimeoutStopSec= is longer. */
#define BARRIER_USEC (75 * UINT64_C(1000000))

typedef union StoreControl {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(STORE_BATCH_MAX * sizeof(int))];
} StoreControl;

static size_t store_batch_size(size_t n)
{
        return offsetof(StoreBatch, conns) + n * sizeof(StoredConn);
}

/* systemd must not watch the descriptor: the hang-up of the writing end is no reason to drop it. */
static int store_give_queue(StoreWriter *writer)
{
        static const char format[] = "FDSTORE=1\nFDPOLL=0\nFDNAME=" STORE_NAME_FORMAT;
        char text[sizeof(format) + STORE_NAME_MAX];
        int r = 0;

        if (writer->n_queued > 0) {
                snprintf(text, sizeof(text), format, writer->n_queues++);
                r = sd_pid_notify_with_fds(0, false, text, (const int *)writer->queue, 1);
        }
        if (r > 0)
                writer->n_stored += writer->n_queued;
        writer->n_queued = 0;
        for (size_t i = 0; i < ELEMENTSOF(writer->queue); i++)
                writer->queue[i] = close_fd(writer->queue[i]);
        return r < 0 ? r : 0;
}

static int store_send_batch(StoreWriter *writer)
{
        const size_t n = writer->batch.n;
        StoreControl control = { .bytes = { 0 } };
        struct iovec iov = { .iov_base = &writer->batch, .iov_len = store_batch_size(n) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };

        if (writer->queue[1] < 0 &&
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, writer->queue) < 0)
                return -errno;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), writer->fds, n * sizeof(int));
        return sendmsg(writer->queue[1], &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int store_flush(StoreWriter *writer)
{
        int r = store_send_batch(writer);

        /* Full: this queue goes, and the next one has room. */
        if (r == -EAGAIN && writer->n_queued > 0) {
                r = store_give_queue(writer);
                if (r == 0)
                        r = store_send_batch(writer);
        }
        if (r == 0)
                writer->n_queued += writer->batch.n;
        writer->batch.n = 0;
        return r;
}

void store_begin(StoreWriter *writer)
{
        *writer = (StoreWriter){ .queue = { -EBADF, -EBADF }, .batch.magic = STORE_MAGIC };
}

void store_add(StoreWriter *writer, int fd, const StoredConn *conn)
{
        assert(writer->batch.magic == STORE_MAGIC && writer->batch.n < STORE_BATCH_MAX);
        if (writer->error < 0)
                return;
        writer->fds[writer->batch.n] = fd;
        writer->batch.conns[writer->batch.n++] = *conn;
        if (writer->batch.n == STORE_BATCH_MAX)
                writer->error = store_flush(writer);
}

int store_end(StoreWriter *writer)
{
        int r;

        if (writer->error == 0 && writer->batch.n > 0)
                writer->error = store_flush(writer);
        r = store_give_queue(writer);
        /* What a process has sent that is gone when systemd reads it belongs to nobody. */
        if (r == 0)
                r = sd_notify_barrier(0, BARRIER_USEC);
        if (writer->error < 0)
                r = writer->error;
        return r < 0 ? r : (int)writer->n_stored;
}

/* Whatever store_send_batch() has not sent is closed. */
static int store_take_batch(const StoreBatch *batch, size_t size, const struct msghdr *message,
                            void (*take_consume)(void *, int, const StoredConn *), void *userdata)
{
        struct cmsghdr *control = CMSG_FIRSTHDR(message);
        int fds[STORE_BATCH_MAX];
        size_t n_fds = 0;
        bool is_valid;

        if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
                n_fds = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(control), n_fds * sizeof(int));
        }
        is_valid = size >= offsetof(StoreBatch, conns) && batch->magic == STORE_MAGIC &&
                   n_fds > 0 && batch->n == n_fds && size == store_batch_size(n_fds) &&
                   !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        for (size_t i = 0; i < n_fds; i++)
                if (is_valid && sd_is_socket_inet(fds[i], AF_UNSPEC, SOCK_STREAM, 0, 0) > 0)
                        take_consume(userdata, fds[i], &batch->conns[i]);
                else
                        close_fd(fds[i]);
        return is_valid ? (int)n_fds : -EBADMSG;
}

int store_take_up_consume(int fd_consume,
                          void (*take_consume)(void *userdata, int fd, const StoredConn *),
                          void *userdata)
{
        _cleanup_close_ int fd = fd_consume;
        int n = 0, r;

        for (;;) {
                StoreControl control;
                StoreBatch batch;
                struct iovec iov = { .iov_base = &batch, .iov_len = sizeof(batch) };
                struct msghdr message = {
                        .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = &control,
                        .msg_controllen = sizeof(control),
                };
                const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

                if (size == 0 || (size < 0 && errno == EAGAIN))
                        return n;
                if (size < 0)
                        return -errno;
                r = store_take_batch(&batch, (size_t)size, &message, take_consume, userdata);
                if (r < 0)
                        return r;
                n += r;
        }
}

void store_forget(const char *name)
{
        (void)sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}
