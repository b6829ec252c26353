/* SPDX-License-Identifier: MIT */
/*
 * This module adds a listener to Apache. The listener receives hand-offs, so it needs the accept
 * function of this module. But in each child, after the child_init hooks, the MPM stores its own
 * accept function in all listeners. A thread then replaces the function in the listener of this
 * module. Until then, the listener must not become readable, so its descriptor is an epoll instance
 * that watches nothing. The thread can be removed when MPMs keep an accept_func that is already
 * set. The MPMs of httpd 2.4.71 (November 2026) don't keep it.
 *
 * A second listener never becomes readable. It is necessary because with a single listener, the
 * MPMs prefork and worker would not wait in poll(2), but call their own accept function at once.
 */
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include <ap_listen.h>
#include <ap_mpm.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "httpd/inbox.h"
#include "httpd/sigmask.h"
#include "instance/page.h"
#include "instance/received.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log-limit.h"

APLOG_USE_MODULE(bellhop);

#define SOCKET_DATA_KEY "bellhop"

/* The largest number of refused messages that one call of accept_handoff() skips. Each call that
 * returns no connection costs the MPM a pool of memory, so one call skips several messages. */
#define REFUSED_PER_WAKE 64

/* If page_reach() returns false, a child must not receive messages (see instance/page.h). The child
 * waits for this time before it tries again. */
#define BARRED_NSEC 1000000L

/* The thread in arm() waits until the MPM has stored its accept function, which takes some 100 µs.
 * The pause between two checks begins with the first value, and doubles until it exceeds the
 * second. */
#define ARM_NSEC_FIRST 20000L
#define ARM_NSEC_MOST  200000L

/* The state of this module. The parent sets it at the start and at each reload, and its children
 * inherit it. */
static struct Inbox {
        server_rec *server;
        int handoff_fd;
        uid_t sender;
        ap_listen_rec *listener;
        ap_listen_rec *quiet; /* never readable */
        LogLimit limit;
} inbox = { .handoff_fd = -EBADF, .limit = { .interval_usec = 1000000, .burst = 3 } };

/* The data that this module keeps for an open connection. */
typedef struct Received {
        struct bellhop_handoff handoff;
        bool is_taken;
} Received;

static void log_refused(int result)
{
        unsigned n_left_out;

        if (!log_limit_pass(&inbox.limit, clock_monotonic_usec(), &n_left_out))
                return;
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, inbox.server,
                     "refused a hand-off: %s (%u more were refused since the last such line)",
                     received_refusals[result], n_left_out);
}

static void take(Received *received)
{
        if (!received->is_taken)
                page_let_go();
        received->is_taken = true;
}

static apr_status_t end_connection(void *received)
{
        page_ended(clock_monotonic_usec());
        take(received); /* if the client left before a worker took the connection */
        sigmask_change(SIG_UNBLOCK);
        return APR_SUCCESS;
}

/* Runs in a child that becomes a CGI program: restores the signal mask that programs expect. */
static apr_status_t forget_connection(void *received)
{
        sigmask_change(SIG_UNBLOCK);
        return APR_SUCCESS;
}

/* An entry in the server's list of listeners. It only shows a port to other modules, and receives
 * no connections. */
typedef struct PortRecord {
        ap_listen_rec listener;
        apr_sockaddr_t bind_addr;
} PortRecord;

static void fill_port(PortRecord *record, apr_port_t port, const char *protocol)
{
        record->bind_addr = *inbox.quiet->bind_addr;
        record->bind_addr.port = port;
        record->listener = *inbox.quiet; /* a copy, including the descriptor, because a child that
                                            ends closes the descriptors of all listeners */
        record->listener.bind_addr = &record->bind_addr;
        record->listener.protocol = protocol;
        record->listener.next = NULL;
}

/* Adds a port to the server's listeners when the first connection to this port arrives, because
 * mod_remoteip reads PROXY headers only on ports of these listeners. By then, the MPM has already
 * chosen its listeners, and ignores the new entry. Only the accepting thread of a child adds
 * records. Other threads see a complete record or none. */
static void show_port(const struct sockaddr_storage *local)
{
        PortRecord *record;
        ap_listen_rec *last = NULL;
        Address address;

        if (!address_from_sockaddr(local, &address))
                return;
        for (ap_listen_rec *at = ap_listeners; at; at = at->next) {
                if (at->bind_addr && at->bind_addr->port == address.port)
                        return;
                last = at;
        }
        record = last ? calloc(1, sizeof(*record)) : NULL;
        if (!record)
                return;
        fill_port(record, address.port, inbox.quiet->protocol);
        __atomic_store_n(&last->next, &record->listener, __ATOMIC_RELEASE);
}

void inbox_show_ports(bool is_shown)
{
        static PortRecord records[2];
        ap_listen_rec **end = &ap_listeners;

        if (!inbox.quiet)
                return;
        while (*end && *end != &records[0].listener)
                end = &(*end)->next;
        *end = NULL;
        if (!is_shown)
                return;
        fill_port(&records[0], HTTP_PORT, "http");
        fill_port(&records[1], HTTPS_PORT, "https");
        records[0].listener.next = &records[1].listener;
        *end = &records[0].listener;
}

static bool is_named_port(uint16_t port)
{
        for (const server_rec *server = inbox.server; server; server = server->next)
                for (const server_addr_rec *at = server->addrs; at; at = at->next)
                        if (at->host_port == port)
                                return true;
        return false;
}

/* Changes the port in *local to 80 or 443, unless a virtual host names the port. The router may
 * listen on other ports, but virtual hosts are usually for 80 and 443. */
static void choose_port(int fd, const struct bellhop_handoff *handoff,
                        struct sockaddr_storage *local)
{
        in_port_t *port = local->ss_family == AF_INET6 ? &((struct sockaddr_in6 *)local)->sin6_port
                                                       : &((struct sockaddr_in *)local)->sin_port;

        if (*port != htons(HTTP_PORT) && *port != htons(HTTPS_PORT) && !is_named_port(ntohs(*port)))
                *port = htons(received_speaks_tls(fd, handoff) ? HTTPS_PORT : HTTP_PORT);
}

/* Makes Apache's socket for a received connection. This function sets neither TCP_NODELAY nor
 * O_NONBLOCK, because Apache itself sets both. It lets APR find the client's address: if this
 * function set the address, APR would still ask the kernel. */
static apr_status_t make_socket(int fd_consume, const struct bellhop_handoff *handoff,
                                apr_pool_t *pool, apr_socket_t **ret_socket)
{
        _cleanup_close_ int fd = fd_consume;
        struct sockaddr_storage local;
        socklen_t local_size = sizeof(local);
        apr_os_sock_info_t info = {
                .os_sock = &fd,
                .local = (struct sockaddr *)&local,
                .type = SOCK_STREAM,
                .protocol = IPPROTO_TCP,
        };
        apr_sockaddr_t *remote;
        apr_socket_t *socket;
        apr_status_t status;
        Received *received;

        if (getsockname(fd, info.local, &local_size) < 0)
                return errno;
        choose_port(fd, handoff, &local);
        info.family = local.ss_family;
        status = apr_os_sock_make(&socket, &info, pool);
        if (status != APR_SUCCESS)
                return status;
        (void)take_fd(fd); /* the pool closes it from now on */
        status = apr_socket_addr_get(&remote, APR_REMOTE, socket);
        if (status != APR_SUCCESS) {
                (void)apr_socket_close(socket);
                return status;
        }

        show_port(&local);
        received = apr_pcalloc(pool, sizeof(*received));
        received->handoff = *handoff;
        (void)apr_socket_data_set(socket, received, SOCKET_DATA_KEY, NULL);
        page_opened(clock_monotonic_usec());
        /* The MPMs clear the pool when the connection ends. This is also true for upgraded and
         * HTTP/2 connections. */
        apr_pool_cleanup_register(pool, received, end_connection, forget_connection);
        sigmask_change(SIG_BLOCK);
        *ret_socket = socket;
        return APR_SUCCESS;
}

static apr_status_t receive(apr_pool_t *pool, apr_socket_t **ret_socket)
{
        for (int i = 0; i < REFUSED_PER_WAKE; i++) {
                struct bellhop_handoff handoff;
                int fd;
                const int r = bellhop_receive(inbox.handoff_fd, inbox.sender, &handoff, &fd);

                if (r == BELLHOP_RECEIVE_EMPTY)
                        return APR_EAGAIN;
                if (r > 0) {
                        log_refused(r);
                } else if (r < 0) {
                        ap_log_error(APLOG_MARK, APLOG_CRIT, -r, inbox.server,
                                     "can't receive hand-offs; this child ends and another "
                                     "replaces it%s",
                                     r == -EMFILE ? "; raise LimitNOFILE= of this instance" : "");
                        return APR_EGENERAL;
                } else if (make_socket(fd, &handoff, pool, ret_socket) == APR_SUCCESS) {
                        return APR_SUCCESS;
                }
                /* If make_socket() has failed, the client has already left, which is normal. */
        }
        return APR_EAGAIN;
}

/* Accepts one connection in each call, as the MPMs expect: they count idle workers before each
 * call. */
static apr_status_t accept_handoff(void **ret_socket, ap_listen_rec *listener, apr_pool_t *pool)
{
        static const struct timespec pause = { .tv_nsec = BARRED_NSEC };
        apr_socket_t *socket = NULL;
        apr_status_t status;

        *ret_socket = NULL; /* the worker MPM checks only this pointer, which points to the previous
                               socket before the call */
        if (!page_reach()) {
                (void)nanosleep(&pause, NULL);
                return APR_EAGAIN;
        }
        status = receive(pool, &socket);
        if (status != APR_SUCCESS)
                page_let_go();
        *ret_socket = socket;
        return status;
}

static bool make_placeholder(apr_pool_t *pconf, ap_listen_rec **ret)
{
        ap_listen_rec *listener = apr_pcalloc(pconf, sizeof(*listener));
        _cleanup_close_ int fd = epoll_create1(EPOLL_CLOEXEC);
        apr_os_sock_info_t info = { .os_sock = &fd, .family = AF_INET, .type = SOCK_STREAM };

        if (fd < 0 || apr_os_sock_make(&listener->sd, &info, pconf) != APR_SUCCESS)
                return false;
        (void)take_fd(fd); /* the pool closes it from now on */
        if (apr_sockaddr_info_get(&listener->bind_addr, NULL, APR_INET, 0, 0, pconf) != APR_SUCCESS)
                return false;
        listener->protocol = "bellhop"; /* no AcceptFilter names this protocol */
        listener->active = 1;
        *ret = listener;
        return true;
}

/* At a reload, the server keeps the old listeners, to reuse those that are still configured. The
 * listeners of this module are in memory of pconf, so this function removes them from the list
 * before pconf is destroyed. */
static apr_status_t remove_listeners(void *unused)
{
        for (ap_listen_rec **at = &ap_listeners; *at;) {
                if (*at == inbox.listener || *at == inbox.quiet)
                        *at = (*at)->next;
                else
                        at = &(*at)->next;
        }
        return APR_SUCCESS;
}

apr_status_t inbox_open(apr_pool_t *pconf, server_rec *server, int handoff_fd, uid_t sender)
{
        if (!make_placeholder(pconf, &inbox.listener) || !make_placeholder(pconf, &inbox.quiet)) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, errno, server,
                             "can't create an epoll descriptor; look at LimitNOFILE=");
                return APR_EGENERAL;
        }
        inbox.server = server;
        inbox.handoff_fd = handoff_fd;
        inbox.sender = sender;
        inbox.listener->next = inbox.quiet;
        inbox.quiet->next = ap_listeners;
        ap_listeners = inbox.listener;
        apr_pool_cleanup_register(pconf, NULL, remove_listeners, apr_pool_cleanup_null);
        return APR_SUCCESS;
}

/* The thread that replaces the accept function. It uses a duplicate of the listener's descriptor,
 * because the MPM can close the original at any time. One hand-off wakes several idle children.
 * EPOLLEXCLUSIVE would not prevent this (measured), because the MPM does not call epoll_wait(2) on
 * the listener, but polls it together with other descriptors. */
static void *arm(void *baton)
{
        const int epoll_fd = (int)(intptr_t)baton;
        struct epoll_event event = { .events = EPOLLIN };
        struct timespec pause = { .tv_nsec = ARM_NSEC_FIRST };

        while (!__atomic_load_n(&inbox.listener->accept_func, __ATOMIC_ACQUIRE)) {
                (void)nanosleep(&pause, NULL);
                if (pause.tv_nsec < ARM_NSEC_MOST)
                        pause.tv_nsec *= 2;
        }
        __atomic_store_n(&inbox.listener->accept_func, accept_handoff, __ATOMIC_RELEASE);
        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, inbox.handoff_fd, &event) < 0)
                ap_log_error(APLOG_MARK, APLOG_CRIT, errno, inbox.server,
                             "this child can't watch the hand-off socket; restart the instance");
        close_fd(epoll_fd);
        return NULL;
}

static int start_arming(int listener_fd)
{
        _cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        /* Each child has its own epoll instance, because children with the same epoll instance
         * would share its list of watched descriptors. */
        if (epoll_fd < 0 || dup3(epoll_fd, listener_fd, O_CLOEXEC) < 0)
                return errno;
        inbox.listener->accept_func = NULL;

        /* The new thread blocks all signals, so that they go to prefork's main thread and interrupt
         * its poll. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        r = pthread_create(&thread, &attributes, arm, (void *)(intptr_t)epoll_fd);
        pthread_attr_destroy(&attributes);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (r == 0)
                (void)take_fd(epoll_fd);
        return r;
}

void inbox_join(server_rec *server)
{
        apr_os_sock_t listener_fd;
        int r;

        (void)apr_os_sock_get(&listener_fd, inbox.listener->sd);
        /* If a signal handler of prefork has already closed the listener, prefork ends this child,
         * so the child needs no thread. */
        if (listener_fd < 0)
                return;
        r = start_arming(listener_fd);
        if (r == 0)
                return;
        ap_log_error(
                APLOG_MARK, APLOG_CRIT, r, server,
                "this child can't receive hand-offs and ends; look at TasksMax= and LimitNOFILE=");
        _exit(APEXIT_CHILDSICK); /* the parent waits a little, then tries another child */
}

static Received *received_of(conn_rec *conn)
{
        apr_socket_t *socket = ap_get_conn_socket(conn->master ? conn->master : conn);
        void *received = NULL;

        if (socket)
                (void)apr_socket_data_get(&received, SOCKET_DATA_KEY, socket);
        return received;
}

void inbox_taken(conn_rec *conn)
{
        Received *received = received_of(conn);

        if (received)
                take(received);
}

const struct bellhop_handoff *inbox_handoff_of(conn_rec *conn)
{
        const Received *received = received_of(conn);

        return received ? &received->handoff : NULL;
}
