/* SPDX-License-Identifier: MIT */
/* A refused client gets a reply. If unread bytes of the client are left at close(2), the kernel
 * sends a reset, which can destroy the reply on its way (RFC 9112 section 9.6). So this file reads
 * and discards the client's bytes. No function waits for them. */
#include <assert.h>
#include <sys/socket.h>

#include "refuse/linger.h"
#include "util/address.h"
#include "util/cleanup.h"

/* The number of bytes that a client may still send before its connection is closed. */
#define LINGER_BYTES_MAX (256 * 1024)

#define PORT_HTTPS 443

typedef struct Linger {
        LingerQueue *queue;
        int fd;
        sd_event_source *io;
        size_t n_discarded;
        Deadline deadline;
} Linger;

static void linger_free(Deadline *deadline)
{
        Linger *linger = container_of(deadline, Linger, deadline);

        deadline_queue_remove(&linger->queue->deadlines, &linger->deadline);
        sd_event_source_disable_unref(linger->io);
        close_fd(linger->fd);
        free(linger);
}

int linger_init(LingerQueue *queue, sd_event *event, size_t max)
{
        queue->event = event;
        queue->max = max;
        return deadline_queue_init(&queue->deadlines, event, linger_free);
}

/* Discards and counts bytes that have arrived. Returns false if the input has ended or has reached
 * the limit; the connection must then be closed. */
static bool linger_discard(int fd, size_t *n_discarded)
{
        while (*n_discarded < LINGER_BYTES_MAX) {
                const ssize_t n =
                        recv(fd, NULL, LINGER_BYTES_MAX - *n_discarded, MSG_TRUNC | MSG_DONTWAIT);

                if (n > 0)
                        *n_discarded += (size_t)n;
                else
                        return n < 0 && (errno == EAGAIN || errno == EINTR);
        }
        return false;
}

static int linger_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Linger *linger = userdata;

        if (!linger_discard(fd, &linger->n_discarded))
                linger_free(&linger->deadline);
        return 0;
}

static void linger_keep_consume(LingerQueue *queue, int fd, size_t n_discarded)
{
        Linger *linger = calloc(1, sizeof(*linger));

        if (!linger) {
                close_fd(fd);
                return;
        }
        *linger = (Linger){ .queue = queue, .fd = fd, .n_discarded = n_discarded };
        if (queue->deadlines.n >= queue->max)
                linger_free(deadline_queue_first(&queue->deadlines));
        if (deadline_queue_add(&queue->deadlines, &linger->deadline,
                               event_now(queue->event) + LINGER_USEC) < 0 ||
            sd_event_add_io(queue->event, &linger->io, fd, EPOLLIN | EPOLLRDHUP, linger_on_io,
                            linger) < 0)
                linger_free(&linger->deadline);
}

void linger_reply_consume(LingerQueue *queue, int fd, const char *reply, size_t size)
{
        size_t n_before = 0, n_discarded = 0;

        assert(fd >= 0 && queue->max > 0);
        (void)linger_discard(fd, &n_before);
        if (size > 0)
                (void)send(fd, reply, size, MSG_DONTWAIT | MSG_NOSIGNAL);
        (void)shutdown(fd, SHUT_WR);
        if (linger_discard(fd, &n_discarded))
                linger_keep_consume(queue, fd, n_discarded);
        else
                close_fd(fd);
}

void linger_refuse_consume(LingerQueue *queue, int fd, RefuseReason reason,
                           enum bellhop_protocol protocol, uint8_t alert)
{
        char reply[REFUSE_REPLY_MAX];
        Address local;
        size_t size = 0;

        /* On the port of HTTPS, a client that has sent nothing gets no reply, because an HTTP error
         * would look like broken TLS to it. */
        if (protocol != BELLHOP_PROTOCOL_UNKNOWN || reason == REFUSE_MALFORMED ||
            !address_local(fd, &local) || local.port != PORT_HTTPS)
                size = refuse_reply(reason, protocol, alert, reply);
        linger_reply_consume(queue, fd, reply, size);
}
