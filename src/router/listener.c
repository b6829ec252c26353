/* SPDX-License-Identifier: MIT */
/*
 * Owns accepting. Never looks at a byte.
 */
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "router/router.h"
#include "util/cleanup.h"
#include "util/clock.h"

/* So many at once, then the other listeners and the pending connections have their turn. */
#define ACCEPT_BATCH 64

static bool is_exhaustion(int error)
{
        return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Edge-triggered, so that the kernel need not look once more before each sleep. */
#define EVENTS (EPOLLIN | EPOLLET)

/*
 * How many connections wait. An accept4 that finds none costs nearly as much as one that finds one,
 * since the kernel makes socket and file before it looks; of a listening socket, TCP_INFO tells the
 * length of its queue as tcpi_unacked.
 */
static unsigned listener_backlog(int fd)
{
        struct tcp_info info;
        socklen_t size = offsetof(struct tcp_info, tcpi_sacked);

        return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ? UINT_MAX
                                                                       : info.tcpi_unacked;
}

/* False: there is no more to accept, or no room for it. */
static bool listener_accept(Listener *listener)
{
        /* Blocking, as accept(2) would give it to the instance: O_NONBLOCK would travel along. */
        const int connection = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

        if (connection >= 0) {
                conn_accept_consume(listener->router, connection, clock_nsec(CLOCK_MONOTONIC));
        } else if (errno == EAGAIN) {
                return false;
        } else if (is_exhaustion(errno)) {
                router_pause_listeners(listener->router, errno);
                return false;
        }
        /* Anything else is about that one connection, which is gone: accept(2), "Error handling".
         */
        return true;
}

/* Who comes after the queue was looked at is another edge, and another turn. */
static int listener_on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        const unsigned n_waiting = listener_backlog(fd);

        for (unsigned i = 0; i < n_waiting && i < ACCEPT_BATCH; i++)
                if (!listener_accept(userdata))
                        return 0;
        /* Set anew, it is looked at anew. */
        return n_waiting > ACCEPT_BATCH ? sd_event_source_set_io_events(source, EVENTS) : 0;
}

int listener_start(Listener *listener)
{
        return sd_event_add_io(listener->router->event, &listener->io, listener->fd, EVENTS,
                               listener_on_readable, listener);
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
