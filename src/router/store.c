/* SPDX-License-Identifier: MIT */
/* When the router ends, it sends its pending connections, with their data, into a socket pair, and
 * gives systemd only the reading end of the pair to store. If systemd stored thousands of
 * connections one by one, it would compare each of them with all others, which takes seconds. It
 * would also pass the names of all of them in one environment variable, which execve(2) refuses
 * above 128 KiB. */
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "router/store.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/text.h"

#define STORE_MAGIC UINT32_C(0x31504842)

/* The time limit to give all connections to systemd. systemd may be busy for a minute, for example
 * with a daemon-reload. TimeoutStopSec= is longer than this limit. */
#define STORE_USEC (75 * UINT64_C(1000000))

/* The largest number of descriptors that the kernel accepts in one message (SCM_MAX_FD). */
#define BATCH_MAX 253

/* The data of one message. */
typedef struct StoreBatch {
        uint32_t magic;
        uint32_t n;
        StoredConn conns[BATCH_MAX];
} StoreBatch;

typedef union StoreControl {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(BATCH_MAX * sizeof(int))];
} StoreControl;

/* A socket pair that is being filled: ends[0] is for reading, ends[1] is for writing. */
typedef struct StoreQueue {
        const Notify *notify;
        uint64_t deadline_usec;
        int ends[2];
        size_t number;
        bool has_batches;
} StoreQueue;

/* Gives the queue to systemd. FDPOLL=0: systemd must not watch the descriptor, because it would
 * drop the descriptor when the writing end is closed. */
static int store_give_queue(StoreQueue *queue)
{
        static const char format[] = "FDSTORE=1\nFDPOLL=0\nFDNAME=" STORE_NAME_FORMAT;
        char text[sizeof(format) + STORE_NAME_MAX];
        int r = 0;

        if (queue->has_batches) {
                snprintf(text, sizeof(text), format, queue->number++);
                r = notify_give_fd(queue->notify, text, queue->ends[0], queue->deadline_usec);
        }
        queue->has_batches = false;
        for (size_t i = 0; i < ELEMENTSOF(queue->ends); i++)
                queue->ends[i] = close_fd(queue->ends[i]);
        return r;
}

static int store_send_batch(StoreQueue *queue, const int *fds, const StoredConn *conns, size_t n)
{
        StoreBatch batch = { .magic = STORE_MAGIC, .n = (uint32_t)n };
        StoreControl control = { .bytes = { 0 } };
        struct iovec iov = { .iov_base = &batch, .iov_len = offsetof(StoreBatch, conns[n]) };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = CMSG_SPACE(n * sizeof(int)),
        };

        if (queue->ends[1] < 0 &&
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, queue->ends) < 0)
                return -errno;
        memcpy(batch.conns, conns, n * sizeof(*conns));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
        if (sendmsg(queue->ends[1], &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                return -errno;
        queue->has_batches = true;
        return 0;
}

int store_give(const Notify *notify, const int *fds, const StoredConn *conns, size_t n)
{
        StoreQueue queue = {
                .notify = notify,
                .deadline_usec = clock_monotonic_usec() + STORE_USEC,
                .ends = { -EBADF, -EBADF },
        };
        size_t n_now;
        int r = 0, last;

        for (size_t i = 0; r == 0 && i < n; i += n_now) {
                n_now = n - i < BATCH_MAX ? n - i : BATCH_MAX;
                r = store_send_batch(&queue, fds + i, conns + i, n_now);
                /* If the queue is full, it goes to systemd, and the loop begins a new queue. */
                if (r == -EAGAIN && queue.has_batches) {
                        r = store_give_queue(&queue);
                        n_now = 0;
                }
        }
        last = store_give_queue(&queue);
        /* systemd drops the unread messages of a sender that has ended, so this function waits
         * until systemd has read all messages. */
        if (last == 0)
                last = notify_barrier(notify, queue.deadline_usec);
        return r < 0 ? r : last < 0 ? last : (int)n;
}

/* Passes the connections in a message to take(). If the message does not have the form that
 * store_send_batch() gives it, closes its descriptors. Also closes descriptors that are not TCP
 * connections. */
static int store_take_batch(const StoreBatch *batch, size_t size, const struct msghdr *message,
                            StoreTake take, void *userdata)
{
        struct cmsghdr *control = CMSG_FIRSTHDR(message);
        int fds[BATCH_MAX];
        size_t n_fds = 0;
        bool is_valid;

        if (control && control->cmsg_level == SOL_SOCKET && control->cmsg_type == SCM_RIGHTS) {
                n_fds = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
                memcpy(fds, CMSG_DATA(control), n_fds * sizeof(int));
        }
        is_valid = size >= offsetof(StoreBatch, conns) && batch->magic == STORE_MAGIC &&
                   n_fds > 0 && batch->n == n_fds && size == offsetof(StoreBatch, conns[n_fds]) &&
                   !(message->msg_flags & (MSG_TRUNC | MSG_CTRUNC));
        for (size_t i = 0; i < n_fds; i++)
                if (is_valid && sd_is_socket_inet(fds[i], AF_UNSPEC, SOCK_STREAM, 0, 0) > 0)
                        take(userdata, fds[i], &batch->conns[i]);
                else
                        close_fd(fds[i]);
        return is_valid ? (int)n_fds : -EBADMSG;
}

int store_take_up_consume(int fd_consume, StoreTake take, void *userdata)
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
                r = store_take_batch(&batch, (size_t)size, &message, take, userdata);
                if (r < 0)
                        return r;
                n += r;
        }
}

void store_forget(const Notify *notify, const char *name)
{
        _cleanup_free_ char *text = text_format("FDSTOREREMOVE=1\nFDNAME=%s", name);

        if (text)
                (void)notify_give_fd(notify, text, -EBADF, 0);
}
