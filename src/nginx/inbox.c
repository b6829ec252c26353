/* SPDX-License-Identifier: MIT */
/*
 * nginx opens a socket for each listening structure (ngx_listening_t) that has no descriptor. To
 * prevent this, ngx_bellhop_module gives each structure from the configuration a descriptor that
 * never becomes readable. The module adds one structure, which has the hand-off socket. After nginx
 * has put this structure into the event loop, the module replaces the read handler of the
 * structure. nginx itself watches the socket, and wakes one worker at a time, as for any listening
 * socket. For each received connection, the module looks in the configuration for the structure
 * with the local port of the connection.
 */
#include <pwd.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <ngx_config.h>

#include <ngx_core.h>
#include <ngx_event.h>

#include "instance/inheritance.h"
#include "instance/log-lines.h"
#include "instance/page.h"
#include "instance/received.h"
#include "nginx/inbox.h"
#include "nginx/logs.h"
#include "nginx/modules.h"
#include "util/address.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/inherit.h"
#include "util/log-limit.h"

/* The largest number of hand-offs that a worker receives each time it wakes, before other events
 * have their turn. */
#define RECEIVED_PER_WAKE 16

/* How long a worker does not watch the hand-off socket after it has found that the gate is barred
 * (see instance/page.h), or that it has no place for another client. */
#define BARRED_MSEC 1
#define FULL_MSEC   50

typedef struct InboxSettings {
        ngx_str_t instance, config_dir, router_user;
        ngx_flag_t are_logs_files;
} InboxSettings;

/* The master fills this struct, and its workers inherit it. */
static struct Inbox {
        bool is_inherited;
        Inheritance inheritance;
        int fd; /* the hand-off socket from which this worker receives */
        uid_t sender;
        Config *config;
        uint32_t own;
        ngx_uint_t n_clients; /* the number of clients of this worker */
        LogLimit limit;
} inbox = { .fd = -EBADF, .limit = { .interval_usec = 1000000, .burst = 3 } };

/* The pause in which this worker does not watch the hand-off socket. The timer is an event that
 * belongs to no connection of nginx, because nginx clears the events of a connection when it reuses
 * the connection. */
static struct InboxPause {
        ngx_connection_t unused; /* nginx's debug log shows its descriptor */
        ngx_event_t timer;
        ngx_connection_t *listener; /* nginx's structure for the hand-off socket */
} inbox_pause;

/* --- connections --- */

static void inbox_end_connection(void *unused)
{
        inbox.n_clients--;
        page_ended(clock_monotonic_usec());
}

const struct bellhop_handoff *inbox_handoff_of(const ngx_connection_t *connection)
{
        for (const ngx_pool_cleanup_t *at = connection->pool->cleanup; at; at = at->next)
                if (at->handler == inbox_end_connection)
                        return at->data;
        return NULL;
}

const Config *inbox_config(uint32_t *ret_own)
{
        *ret_own = inbox.own;
        return inbox.config;
}

/* Converts an IPv4-mapped address, which a socket for both families has, into an IPv4 address.
 * Returns the size of the address. */
static socklen_t inbox_unmap(ngx_sockaddr_t *address, socklen_t size)
{
        const struct sockaddr_in6 v6 = address->sockaddr_in6;

        if (address->sockaddr.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
                return size;
        address->sockaddr_in =
                (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = v6.sin6_port };
        memcpy(&address->sockaddr_in.sin_addr, &v6.sin6_addr.s6_addr[12], sizeof(struct in_addr));
        return sizeof(struct sockaddr_in);
}

static ngx_listening_t *inbox_find_listening(sa_family_t family, in_port_t port)
{
        ngx_listening_t *all = ngx_cycle->listening.elts;

        for (ngx_uint_t i = 0; i < ngx_cycle->listening.nelts; i++)
                if (all[i].handler && all[i].type == SOCK_STREAM &&
                    all[i].sockaddr->sa_family == family &&
                    ngx_inet_get_port(all[i].sockaddr) == port)
                        return &all[i];
        return NULL;
}

/* Chooses the listening structure for a connection. The configuration has ports 80 and 443. For any
 * other port of the public sockets, the choice depends on whether the client speaks TLS. */
static ngx_listening_t *inbox_choose(int fd, const struct bellhop_handoff *handoff,
                                     const ngx_sockaddr_t *local)
{
        const sa_family_t family = local->sockaddr.sa_family;
        ngx_listening_t *found =
                inbox_find_listening(family, ngx_inet_get_port((struct sockaddr *)local));

        return found ? found
                     : inbox_find_listening(family, received_speaks_tls(fd, handoff) ? HTTPS_PORT
                                                                                     : HTTP_PORT);
}

static void *inbox_copy(ngx_pool_t *pool, const void *data, size_t size)
{
        void *copy = ngx_palloc(pool, size);

        if (copy)
                memcpy(copy, data, size);
        return copy;
}

/* Gives a connection its pool, addresses and log. Returns false if there is not enough memory. */
static bool inbox_fill(ngx_connection_t *connection, ngx_listening_t *listening,
                       const ngx_sockaddr_t *peer, socklen_t peer_size, const ngx_sockaddr_t *local,
                       socklen_t local_size, const struct bellhop_handoff *handoff)
{
        ngx_pool_t *pool = connection->pool = ngx_create_pool(listening->pool_size, ngx_cycle->log);
        ngx_pool_cleanup_t *cleanup;

        if (!pool)
                return false;
        connection->sockaddr = inbox_copy(pool, peer, peer_size);
        connection->local_sockaddr = inbox_copy(pool, local, local_size);
        connection->log = inbox_copy(pool, &listening->log, sizeof(ngx_log_t));
        connection->addr_text.data = ngx_pnalloc(pool, listening->addr_text_max_len);
        cleanup = ngx_pool_cleanup_add(pool, 0);
        if (!connection->sockaddr || !connection->local_sockaddr || !connection->log ||
            !connection->addr_text.data || !cleanup)
                return false;
        cleanup->data = inbox_copy(pool, handoff, sizeof(*handoff));
        if (!cleanup->data)
                return false;
        cleanup->handler = inbox_end_connection;
        inbox.n_clients++;
        page_opened(clock_monotonic_usec());

        connection->socklen = peer_size;
        connection->local_socklen = local_size;
        connection->addr_text.len =
                ngx_sock_ntop(connection->sockaddr, peer_size, connection->addr_text.data,
                              listening->addr_text_max_len, 0);
        connection->log->data = NULL;
        connection->log->handler = NULL;
        pool->log = connection->read->log = connection->write->log = connection->log;
        return true;
}

static void inbox_drop(ngx_connection_t *connection)
{
        ngx_pool_t *pool = connection->pool;

        ngx_free_connection(connection);
        close_fd(connection->fd);
        connection->fd = (ngx_socket_t)-1;
        if (pool)
                ngx_destroy_pool(pool);
}

/* Treats a received connection as nginx treats an accepted connection. */
static void inbox_serve(int fd_consume, const struct bellhop_handoff *handoff)
{
        _cleanup_close_ int fd = fd_consume;
        ngx_sockaddr_t peer, local;
        socklen_t peer_size = sizeof(peer), local_size = sizeof(local);
        ngx_connection_t *connection;
        ngx_listening_t *listening;

        /* getpeername(2) fails if the client has already left, which is normal. */
        if (getpeername(fd, &peer.sockaddr, &peer_size) < 0 ||
            getsockname(fd, &local.sockaddr, &local_size) < 0)
                return;
        peer_size = inbox_unmap(&peer, peer_size);
        local_size = inbox_unmap(&local, local_size);
        listening = inbox_choose(fd, handoff, &local);
        if (!listening || ngx_nonblocking(fd) == -1)
                return;
        connection = ngx_get_connection(fd, ngx_cycle->log);
        if (!connection)
                return;
        (void)take_fd(fd);
        connection->type = SOCK_STREAM;
        if (!inbox_fill(connection, listening, &peer, peer_size, &local, local_size, handoff)) {
                inbox_drop(connection);
                return;
        }
        (void)ngx_atomic_fetch_add(ngx_stat_active, 1);
        connection->recv = ngx_recv;
        connection->send = ngx_send;
        connection->recv_chain = ngx_recv_chain;
        connection->send_chain = ngx_send_chain;
        connection->listening = listening;
        connection->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
        connection->start_time = ngx_current_msec;
        connection->write->ready = 1;
        /* Usually the first bytes have already arrived, so nginx tries to read them at once. */
        connection->read->ready = 1;
        connection->read->available = 1;
        listening->handler(connection);
}

/* --- the hand-off socket --- */

static void inbox_watch(void)
{
        const ngx_uint_t flags = ngx_use_exclusive_accept ? NGX_EXCLUSIVE_EVENT : 0;

        if (ngx_add_event(inbox_pause.listener->read, NGX_READ_EVENT, flags) != NGX_OK)
                ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                              "this worker can't watch the hand-off socket; restart the instance");
}

static void inbox_on_timer(ngx_event_t *timer)
{
        if (!ngx_exiting && !ngx_terminate && inbox_pause.listener->fd == inbox.fd)
                inbox_watch();
}

static void inbox_wait(ngx_msec_t msec)
{
        (void)ngx_del_event(inbox_pause.listener->read, NGX_READ_EVENT, 0);
        ngx_add_timer(&inbox_pause.timer, msec);
}

static void inbox_log_refused(int result)
{
        unsigned n_left_out;

        if (log_limit_pass(&inbox.limit, clock_monotonic_usec(), &n_left_out))
                ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                              "refused a hand-off: %s (%ui more were refused since the last such "
                              "line)",
                              received_refusals[result], (ngx_uint_t)n_left_out);
}

/* Whether there is a place for one more client. Each client may need a second connection, to PHP.
 * Without a place for this second connection, the client would get an error. */
static bool inbox_has_place(void)
{
        const ngx_uint_t n_others = ngx_cycle->listening.nelts + 1;

        return ngx_cycle->free_connection_n > 0 &&
               2 * (inbox.n_clients + 1) + n_others <= ngx_cycle->connection_n;
}

/* Closes the connection of the client that has been without a request for the longest time, as
 * nginx does when it has no free connections. */
static void inbox_make_place(void)
{
        ngx_queue_t *waiting = (ngx_queue_t *)&ngx_cycle->reusable_connections_queue;
        ngx_connection_t *oldest;

        if (ngx_queue_empty(waiting))
                return;
        oldest = ngx_queue_data(ngx_queue_last(waiting), ngx_connection_t, queue);
        oldest->close = 1;
        oldest->read->handler(oldest->read);
}

/* Receives at most one hand-off. Returns for how many milliseconds the worker must not watch the
 * socket, or 0 if it can go on watching. *ret_more: another hand-off may wait. */
static ngx_msec_t inbox_receive(bool *ret_more)
{
        struct bellhop_handoff handoff;
        ngx_msec_t pause = 0;
        int fd, r;

        *ret_more = false;
        /* A worker without a place for another client receives no connection, because it would lose
         * this connection. So connections wait in the queue. */
        if (!inbox_has_place())
                inbox_make_place();
        if (!inbox_has_place())
                return FULL_MSEC;
        if (!page_reach())
                return BARRED_MSEC;
        r = bellhop_receive(inbox.fd, inbox.sender, &handoff, &fd);
        if (r == 0) {
                inbox_serve(fd, &handoff);
        } else if (r < 0) {
                ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, -r, "can't receive a hand-off%s",
                              r == -EMFILE ? "; raise LimitNOFILE= of this instance" : "");
                pause = FULL_MSEC;
        } else if (r != BELLHOP_RECEIVE_EMPTY) {
                inbox_log_refused(r);
        }
        page_let_go();
        *ret_more = r >= 0 && r != BELLHOP_RECEIVE_EMPTY;
        return pause;
}

static void inbox_on_handoff(ngx_event_t *event)
{
        bool more = true;

        for (int i = 0; more && i < RECEIVED_PER_WAKE; i++) {
                const ngx_msec_t pause = inbox_receive(&more);

                if (pause > 0)
                        inbox_wait(pause);
        }
}

/* --- start --- */

static ngx_int_t inbox_fail(ngx_cycle_t *cycle, const char *what)
{
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "%s", what);
        return NGX_ERROR;
}

static bool inbox_inherit(void)
{
        Inheritance *inheritance = &inbox.inheritance;

        if (inbox.is_inherited)
                return true;
        inheritance->notify_socket = getenv("NOTIFY_SOCKET");
        inbox.is_inherited = inheritance_take(inheritance) == 0;
        if (!inbox.is_inherited)
                return false;
        log_lines_use(inheritance->lines_fd);
        page_use(inheritance->page, inheritance->bell);
        return true;
}

/* Whether nginx's previous configuration (its old cycle) has a structure with the same address. If
 * it has, nginx takes the descriptor of that structure after a SIGHUP. */
static bool inbox_is_old(const ngx_cycle_t *cycle, const ngx_listening_t *listening)
{
        const ngx_listening_t *all;

        if (!cycle->old_cycle)
                return false;
        all = cycle->old_cycle->listening.elts;
        for (ngx_uint_t i = 0; i < cycle->old_cycle->listening.nelts; i++)
                if (ngx_cmp_sockaddr(all[i].sockaddr, all[i].socklen, listening->sockaddr,
                                     listening->socklen, 1) == NGX_OK)
                        return true;
        return false;
}

/* Adds a listening structure with the hand-off socket. The structure gets an address to which no
 * client can connect. */
static bool inbox_add_listening(ngx_cycle_t *cycle)
{
        static struct sockaddr_in nowhere = { .sin_family = AF_INET };
        ngx_listening_t *listening = ngx_array_push(&cycle->listening);

        if (!listening)
                return false;
        *listening = (ngx_listening_t)
        {
                .fd = (ngx_socket_t)-1, .sockaddr = (struct sockaddr *)&nowhere,
                .socklen = sizeof(nowhere), .addr_text = ngx_string("bellhop"), .type = SOCK_STREAM,
                .backlog = NGX_LISTEN_BACKLOG, .rcvbuf = -1, .sndbuf = -1,
#if NGX_HAVE_TCP_FASTOPEN
                .fastopen = -1,
#endif
                .logp = &cycle->new_log,
        };
        if (!inbox_is_old(cycle, listening))
                listening->fd =
                        fcntl(inbox.inheritance.handoff_fd, F_DUPFD_CLOEXEC, INHERIT_FD_FIRST);
        return true;
}

static bool inbox_take_listening(ngx_cycle_t *cycle)
{
        ngx_listening_t *all = cycle->listening.elts;

        for (ngx_uint_t i = 0; i < cycle->listening.nelts; i++) {
                if (all[i].type != SOCK_STREAM || inbox_is_old(cycle, &all[i]))
                        continue;
                all[i].fd = epoll_create1(EPOLL_CLOEXEC);
                if (all[i].fd < 0)
                        return false;
        }
        return ngx_test_config || inbox_add_listening(cycle);
}

static bool inbox_load_config(ngx_cycle_t *cycle, const InboxSettings *settings)
{
        const struct passwd *router = getpwnam((const char *)settings->router_user.data);
        ngx_uint_t level;
        int r;

        if (!router) {
                ngx_log_error(
                        NGX_LOG_EMERG, cycle->log, 0,
                        "user '%V' does not exist, but the router runs as this user; create it by "
                        "systemd-sysusers or set bellhop_router_user",
                        &settings->router_user);
                return false;
        }
        inbox.sender = router->pw_uid;
        inbox.config = config_free(inbox.config);
        r = config_load_instance((const char *)settings->config_dir.data,
                                 (const char *)settings->instance.data, &inbox.config, &inbox.own);
        level = r < 0 ? NGX_LOG_EMERG : NGX_LOG_WARN;
        for (size_t i = 0; inbox.config && i < inbox.config->n_problems; i++) {
                ngx_log_error(level, cycle->log, 0, "%s", inbox.config->problems[i].text);
        }
        if (r == -ENOENT) {
                ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                              "there is no instance '%V'; describe it in %V/instances/%V.conf",
                              &settings->instance, &settings->config_dir, &settings->instance);
        } else if (r < 0) {
                ngx_log_error(NGX_LOG_EMERG, cycle->log, -r, "can't read %V/instances",
                              &settings->config_dir);
        }
        if (r == 0 && inbox.inheritance.page) {
                config_digest_others(inbox.config, ROUTE_NONE);
                page_set_others(inbox.inheritance.page, inbox.config->instances[inbox.own].others);
        }
        return r == 0;
}

static void *inbox_create_conf(ngx_cycle_t *cycle)
{
        InboxSettings *settings = ngx_pcalloc(cycle->pool, sizeof(*settings));

        /* Snippets name files of nginx's own folder by relative paths, as usual (include
         * fastcgi_params). nginx looks for them in the folder of its main configuration, which is
         * another folder here. So this line sets nginx's own folder instead. */
        ngx_str_set(&cycle->conf_prefix, NGX_CONF_PREFIX);
        if (settings)
                settings->are_logs_files = NGX_CONF_UNSET;
        return settings;
}

static void inbox_set_default(ngx_str_t *setting, const char *value)
{
        if (!setting->data)
                *setting = (ngx_str_t){ strlen(value), (u_char *)value };
}

static char *inbox_init_conf(ngx_cycle_t *cycle, void *conf)
{
        InboxSettings *settings = conf;

        inbox_set_default(&settings->config_dir, BELLHOP_CONFIG_DIR);
        inbox_set_default(&settings->router_user, BELLHOP_ROUTER_USER);
        if (!settings->instance.data) {
                (void)inbox_fail(cycle, "the instance has no name; set 'bellhop_instance NAME;'");
                return NGX_CONF_ERROR;
        }
        /* This process has a capability, so the customer's other programs, which do not have it,
         * can't trace this process. Programs that this process executes belong to the customer, and
         * must not inherit the capability. */
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        if (!ngx_test_config && (!inbox_inherit() || inbox.inheritance.handoff_fd < 0)) {
                (void)inbox_fail(cycle,
                                 "no hand-off socket was passed, but an instance needs one for its "
                                 "connections; run 'systemctl start bellhop@NAME.socket': the "
                                 "first connection then starts the service");
                return NGX_CONF_ERROR;
        }
        if (!ngx_test_config)
                logs_open(cycle, (const char *)settings->instance.data,
                          settings->are_logs_files == 1);
        return inbox_load_config(cycle, settings) && inbox_take_listening(cycle) ? NGX_CONF_OK
                                                                                 : NGX_CONF_ERROR;
}

static void inbox_notify_ready(void)
{
        sigset_t signals;

        if (!inbox.inheritance.notify_socket)
                return;
        /* After the report, the supervisor may stop nginx, but nginx sets its signal handlers only
         * a moment later. So the signals are blocked until then, and nginx handles those that have
         * arrived meanwhile. */
        sigemptyset(&signals);
        sigaddset(&signals, SIGQUIT);
        sigaddset(&signals, SIGTERM);
        (void)sigprocmask(SIG_BLOCK, &signals, NULL);
        inheritance_say_ready(&inbox.inheritance);
        (void)unsetenv("NOTIFY_SOCKET");
}

/* Runs in the master, after the configuration is read and all files are opened. */
static ngx_int_t inbox_init_module(ngx_cycle_t *cycle)
{
        if (ngx_test_config)
                return NGX_OK;
        inbox_notify_ready();
        return NGX_OK;
}

/* Runs in a worker, after nginx has put all listening structures into the event loop. */
static ngx_int_t inbox_init_process(ngx_cycle_t *cycle)
{
        ngx_listening_t *all = cycle->listening.elts;
        ngx_connection_t *listener = all[cycle->listening.nelts - 1].connection;

        if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
                return NGX_OK;
        page_join(ngx_getpid());
        logs_join(cycle->log);
        inbox_pause.listener = listener;
        inbox_pause.unused.fd = (ngx_socket_t)-1;
        inbox_pause.timer = (ngx_event_t){
                .data = &inbox_pause.unused,
                .handler = inbox_on_timer,
                .log = cycle->log,
                .cancelable = 1,
        };
        inbox.fd = listener->fd;
        listener->read->handler = inbox_on_handoff;
        return NGX_OK;
}

static void inbox_exit_process(ngx_cycle_t *cycle)
{
        if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
                return;
        logs_flush();
        page_leave(inbox.inheritance.page, ngx_getpid(), clock_monotonic_usec());
}

/* --- registration --- */

static ngx_command_t commands[] = {
        { ngx_string("bellhop_instance"), NGX_MAIN_CONF | NGX_DIRECT_CONF | NGX_CONF_TAKE1,
          ngx_conf_set_str_slot, 0, offsetof(InboxSettings, instance), NULL },
        { ngx_string("bellhop_config_dir"), NGX_MAIN_CONF | NGX_DIRECT_CONF | NGX_CONF_TAKE1,
          ngx_conf_set_str_slot, 0, offsetof(InboxSettings, config_dir), NULL },
        { ngx_string("bellhop_router_user"), NGX_MAIN_CONF | NGX_DIRECT_CONF | NGX_CONF_TAKE1,
          ngx_conf_set_str_slot, 0, offsetof(InboxSettings, router_user), NULL },
        { ngx_string("bellhop_log_files"), NGX_MAIN_CONF | NGX_DIRECT_CONF | NGX_CONF_FLAG,
          ngx_conf_set_flag_slot, 0, offsetof(InboxSettings, are_logs_files), NULL },
        ngx_null_command,
};

static ngx_core_module_t context = { ngx_string("bellhop"), inbox_create_conf, inbox_init_conf };

ngx_module_t ngx_bellhop_module = {
        NGX_MODULE_V1,      &context, commands, NGX_CORE_MODULE,    NULL, inbox_init_module,
        inbox_init_process, NULL,     NULL,     inbox_exit_process, NULL, NGX_MODULE_V1_PADDING,
};
