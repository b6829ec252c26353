/* SPDX-License-Identifier: MIT */
/* Accepts connections, and knows which of them may lack a seal (see seal/seal.h). Never reads a
 * byte. */
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "router/listener.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/deadline.h"

/* The number of connections to accept at once, before other listeners and pending connections have
 * their turn. */
#define ACCEPT_BATCH 64

/* With edge-triggered events, the kernel does not have to check the socket again each time before
 * the router sleeps. */
#define EVENTS (EPOLLIN | EPOLLET)

/* A connection gets its listener's seal when its handshake ends, and enters the listener's queue a
 * little later. So connections without a seal may enter the queue even after the listener was
 * sealed, but only within this time. At its end, only connections that are already in the queue may
 * lack a seal. */
#define SETTLE_USEC (1 * UINT64_C(1000000))

/* Returns the number of waiting connections, which is tcpi_unacked of a listening socket. With this
 * number, the router avoids an accept4() that finds no connection. Such a call costs nearly as much
 * as a successful one, because the kernel makes a socket and a file before it looks for a
 * connection. */
static unsigned listener_backlog(int fd)
{
        struct tcp_info info;
        socklen_t size = offsetof(struct tcp_info, tcpi_sacked);

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? UINT32_MAX
                                                                       : info.tcpi_unacked;
}

/* Accepts one connection. Returns false if no more connections wait, or if descriptors or memory
 * have run out. */
static bool listener_accept(Listener *listener)
{
        /* The new socket stays blocking. Otherwise the instance would get a non-blocking socket,
         * but a server expects a blocking one from accept(2). */
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

        if (fd >= 0) {
                const bool is_unsure = listener->n_unsure > 0;

                if (is_unsure && listener->n_unsure != UINT64_MAX)
                        listener->n_unsure--;
                listener->hooks->accept_consume(listener->userdata, fd,
                                                &(StoredConn){ .accepted_nsec = clock_nsec(
                                                                       CLOCK_MONOTONIC) },
                                                is_unsure);
        } else if (errno == EAGAIN) {
                return false;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                listener->hooks->on_exhausted(listener->userdata, errno);
                return false;
        }
        /* Any other error concerns only one connection, which is lost: see accept(2), "Error
         * handling". */
        return true;
}

/* Accepts the connections that are in the queue now. Those that arrive later cause another event.
 */
static int listener_on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Listener *listener = userdata;
        const unsigned n_waiting = listener_backlog(fd);

        if (listener->n_unsure == UINT64_MAX && listener->sealed_usec > 0 &&
            event_now(sd_event_source_get_event(source)) > listener->sealed_usec + SETTLE_USEC)
                listener->n_unsure = n_waiting;
        for (unsigned i = 0; i < n_waiting && i < ACCEPT_BATCH; i++)
                if (!listener_accept(listener))
                        return 0;
        /* If connections remain in the queue, setting the events again makes epoll report the
         * socket again. */
        return n_waiting > ACCEPT_BATCH ? sd_event_source_set_io_events(source, EVENTS) : 0;
}

void listener_init_consume(Listener *listener, int fd, const ListenerHooks *hooks, void *userdata)
{
        *listener = (Listener){
                .hooks = hooks, .userdata = userdata, .fd = fd, .n_unsure = UINT64_MAX
        };
}

int listener_seal(Listener *listener)
{
        const int r = seal_listener(listener->fd);

        if (r == 0)
                listener->sealed_usec = clock_monotonic_usec();
        /* Without the privilege to seal a listener, sealing single connections would also fail, so
         * no connection is marked as unsure. */
        if (r == -EPERM)
                listener->n_unsure = 0;
        return r;
}

int listener_start(Listener *listener, sd_event *event)
{
        assert(!listener->io);
        return sd_event_add_io(event, &listener->io, listener->fd, EVENTS, listener_on_readable,
                               listener);
}

void listener_set_paused(Listener *listener, bool paused)
{
        (void)sd_event_source_set_enabled(listener->io, paused ? SD_EVENT_OFF : SD_EVENT_ON);
}

void listener_done(Listener *listener)
{
        listener->io = sd_event_source_disable_unref(listener->io);
        listener->fd = close_fd(listener->fd);
}
