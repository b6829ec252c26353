/* SPDX-License-Identifier: MIT */
/*
 * A server reports with sd_notify(3) that it is ready. For each server, the supervisor makes a
 * socket that receives this report. Before the report, Apache may not have set its signal handlers.
 * Without them, SIGWINCH (its graceful stop) has no effect, and other signals kill it.
 *
 * At its stop signal, a server may drop connections that it has received but that no worker has
 * taken yet (the event MPM of Apache does this). So the supervisor first bars the server's gate,
 * and sends the signal when no connection is in hand (page.h). Connections in the queue of the
 * hand-off socket wait for the next server.
 */
#include <assert.h>
#include <signal.h>
#include <sys/param.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "instance/nginx-conf.h"
#include "instance/server.h"
#include "instance/verdict.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

/* The longest time to wait for workers to take the connections that the server has already
 * received. Workers usually need microseconds for this, but a worker that hangs must not keep the
 * instance from ending. */
#define DRAIN_USEC UINT64_C(5000000)

/* If a server without connections does not end gracefully within this time, it gets the signal to
 * end at once. If it has still not ended when this time has passed again, it is killed. */
#define END_USEC UINT64_C(5000000)

/* A server that has no receiving process for this time is killed. */
#define DESERTED_USEC UINT64_C(10000000)

/* A wake signal makes an ending server reap those of its processes that have ended. The first
 * signal is sent after this pause, because the first processes have ended by then. After each
 * signal, the pause doubles. */
#define WAKE_USEC_FIRST UINT64_C(10000)
#define WAKE_USEC_MOST  UINT64_C(1000000) /* at this pause, no signal is sent any more */

/* The command line of a server. Owns all strings and the descriptor. */
typedef struct ServerCommand {
        char *arguments[16];
        size_t n;
        int conf_fd; /* configuration, of which the server inherits a copy; negative: none */
} ServerCommand;

struct ServerKind {
        const char *name; /* in messages */
        /* Adds the arguments with server_add(). number: part of the names of files that two servers
         * must not share. fd: the number that conf_fd has in the server. Returns 0 or a negative
         * errno. */
        int (*make_command)(const Context *context, bool test, unsigned number, int fd,
                            ServerCommand *command);
        int stop_signal;  /* ends the server gracefully, if it is ready */
        int wake_signal;  /* makes the server reap its ended processes; 0: it needs no signal for
                             this */
        bool needs_watch; /* the server may fail to replace a process that has ended, and does not
                             report this */
};

__attribute__((format(printf, 2, 3))) static void server_add(ServerCommand *command,
                                                             const char *format, ...)
{
        va_list args;

        assert(command->n + 1 < ELEMENTSOF(command->arguments));
        va_start(args, format);
        command->arguments[command->n++] = text_format_args(format, args);
        va_end(args);
}

static int server_make_apache_command(const Context *context, bool test, unsigned number, int fd,
                                      ServerCommand *command)
{
        const char *const defines[][2] = {
                { "CONFIG_DIR", context->config_dir },
                { "INSTANCE", context->instance },
                { "LOGS", context->logs },
                { "MPM", context->mpm },
        };

        server_add(command, "%s", BELLHOP_APACHE);
        server_add(command, "%s", test ? "-t" : "-DFOREGROUND");
        for (size_t i = 0; i < ELEMENTSOF(defines); i++) {
                server_add(command, "-C");
                server_add(command, "Define BELLHOP_%s %s", defines[i][0], defines[i][1]);
        }
        server_add(command, "-C");
        server_add(command, "Define BELLHOP_SERVER %u", number);
        if (context->is_suspended)
                server_add(command, "-DBELLHOP_SUSPENDED");
        if (test && context->judges)
                server_add(command, "-D" VERDICT_DEFINE);
        server_add(command, "-f");
        server_add(command, "%s/apache2/instance.conf", context->config_dir);
        return 0;
}

static int server_make_nginx_command(const Context *context, bool test, unsigned number, int fd,
                                     ServerCommand *command)
{
        command->conf_fd = nginx_conf_make(context, number);
        if (command->conf_fd < 0)
                return command->conf_fd;
        server_add(command, "%s", BELLHOP_NGINX);
        server_add(command, "-e");
        server_add(command, "stderr");
        server_add(command, "-p");
        server_add(command, "%s", context->runtime_dir ? context->runtime_dir : "/");
        server_add(command, "-c");
        server_add(command, "/proc/self/fd/%d", fd);
        if (test)
                server_add(command, "-t");
        return 0;
}

static const ServerKind kinds[] = {
        [SERVER_APACHE] = { "Apache", server_make_apache_command, SIGWINCH, SIGCHLD, false },
        [SERVER_NGINX] = { "nginx", server_make_nginx_command, SIGQUIT, 0, true },
};

static void server_command_done(ServerCommand *command)
{
        command->conf_fd = close_fd(command->conf_fd);
        for (size_t i = 0; i < command->n; i++)
                free(command->arguments[i]);
}

/* Returns 0 or a negative errno. */
static int server_make_command(const Context *context, bool test, unsigned number, int fd,
                               ServerCommand *command)
{
        int r;

        *command = (ServerCommand){ .conf_fd = -EBADF };
        r = kinds[context->server].make_command(context, test, number, fd, command);
        if (r < 0)
                return r;
        for (size_t i = 0; i < command->n; i++)
                if (!command->arguments[i])
                        return -ENOMEM;
        return 0;
}

int server_become_test(const Context *context)
{
        _cleanup_(server_command_done) ServerCommand command;
        const int r = server_make_command(context, true, 0, SD_LISTEN_FDS_START, &command);

        return r < 0 ? r
                     : child_become(&(Child){ .argv = (const char *const *)command.arguments,
                                              .fds = { command.conf_fd },
                                              .n_fds = command.conf_fd < 0 ? 0 : 1,
                                              .keeps_capability = true });
}

/* --- readiness --- */

static void server_close_notify(Server *server)
{
        server->notify_source = sd_event_source_disable_unref(server->notify_source);
        server->notify_fd = close_fd(server->notify_fd);
        if (server->notify_path)
                (void)unlink(server->notify_path);
        free(take_ptr(server->notify_path));
}

/* Returns the process id of the sender, or 0 if the message has no credentials. The kernel puts
 * credentials before other control data. */
static pid_t server_sender(struct msghdr *message)
{
        const struct cmsghdr *control = CMSG_FIRSTHDR(message);
        struct ucred sender;

        if (!control || control->cmsg_level != SOL_SOCKET ||
            control->cmsg_type != SCM_CREDENTIALS || control->cmsg_len != CMSG_LEN(sizeof(sender)))
                return 0;
        memcpy(&sender, CMSG_DATA(control), sizeof(sender));
        return sender.pid;
}

static bool server_says_ready(char *text)
{
        char *rest = text, *line;

        while ((line = strsep(&rest, "\n")))
                if (strcmp(line, "READY=1") == 0)
                        return true;
        return false;
}

static int server_on_notify(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Server *server = userdata;
        char text[512], control[CMSG_SPACE(sizeof(struct ucred))];
        struct iovec iov = { text, sizeof(text) - 1 };
        struct msghdr message = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = control,
                .msg_controllen = sizeof(control),
        };
        const ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return 0;
        text[n] = 0;
        /* Other programs of the customer can also write to this socket. Their messages are
         * ignored. */
        if (server_sender(&message) != server->process.pid || !server_says_ready(text))
                return 0;
        server_close_notify(server);
        server->is_ready = true;
        return 0;
}

static int server_open_notify(Server *server, sd_event *event, const Context *context,
                              unsigned number)
{
        server->notify_path = text_format("%s/notify-%u", context->runtime_dir, number);
        server->notify_fd = child_bind(server->notify_path, SOCK_DGRAM);
        if (server->notify_fd < 0)
                return server->notify_fd;
        if (setsockopt(server->notify_fd, SOL_SOCKET, SO_PASSCRED, &(int){ 1 }, sizeof(int)) < 0)
                return -errno;
        return sd_event_add_io(event, &server->notify_source, server->notify_fd, EPOLLIN,
                               server_on_notify, server);
}

/* --- start and end --- */

static int server_run(Server *server, sd_event *event, const Context *context, unsigned number,
                      int page_fd)
{
        _cleanup_(server_command_done) ServerCommand command;
        _cleanup_free_ char *notify = text_format("NOTIFY_SOCKET=%s", server->notify_path);
        Child child = {
                .argv = (const char *const *)command.arguments,
                .fds = { context->handoff_fd, page_fd, context->bell_fd },
                .n_fds = 3,
                .environment = (const char *const[]){ notify, NULL },
                .keeps_capability = true,
                .orphan_signal = SIGKILL, /* children of Apache ignore SIGTERM */
        };
        char names[sizeof(PAGE_HANDOFF_NAME ":" PAGE_FD_NAME ":" PAGE_BELL_NAME ":" PAGE_LINES_NAME
                                            ":" PAGE_CONF_NAME)] =
                PAGE_HANDOFF_NAME ":" PAGE_FD_NAME ":" PAGE_BELL_NAME;
        int r;

        if (context->lines_fd >= 0) {
                child.fds[child.n_fds++] = context->lines_fd;
                (void)strcat(names, ":" PAGE_LINES_NAME);
        }
        r = server_make_command(context, false, number, SD_LISTEN_FDS_START + (int)child.n_fds,
                                &command);
        if (r < 0 || !notify)
                return r < 0 ? r : -ENOMEM;
        if (command.conf_fd >= 0) {
                child.fds[child.n_fds++] = command.conf_fd;
                (void)strcat(names, ":" PAGE_CONF_NAME);
        }
        child.fd_names = names;
        server->kind = &kinds[context->server];
        server->read_usec = clock_nsec(CLOCK_REALTIME) / 1000;
        return child_start(&child, event, &server->process);
}

static int server_init(Server *server, sd_event *event, const Context *context,
                       const char **ret_step)
{
        static unsigned number;
        _cleanup_close_ int page_fd = -EBADF;
        int r;

        *ret_step = "make shared memory for its counters";
        page_fd = page_new(&server->page);
        if (page_fd < 0)
                return page_fd;
        *ret_step = "listen for its readiness";
        r = server_open_notify(server, event, context, ++number);
        if (r < 0)
                return r;
        *ret_step = "start a process";
        return server_run(server, event, context, number, page_fd);
}

int server_start(sd_event *event, const Context *context, Server **ret)
{
        Server *server = calloc(1, sizeof(*server));
        const char *step = "get memory";
        int r = -ENOMEM;

        if (server) {
                *server = (Server){ .notify_fd = -EBADF, .began_usec = clock_monotonic_usec() };
                r = server_init(server, event, context, &step);
        }
        if (r < 0) {
                log_error_errno(r,
                                "can't start %s: can't %s: %m; look at MemoryMax=, TasksMax= and "
                                "LimitNOFILE= of bellhop@%s.service",
                                kinds[context->server].name, step, context->instance);
                server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

void server_free(Server *server)
{
        if (!server)
                return;
        server_close_notify(server);
        for (size_t i = 0; i < RECEIVERS_MAX; i++)
                sd_event_source_disable_unref(server->receivers[i].end);
        child_done(&server->process);
        page_free(server->page);
        free(server);
}

/* --- receiving processes --- */

static int server_on_receiver_end(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Receiver *receiver = userdata;

        page_leave(receiver->page, receiver->pid, clock_monotonic_usec());
        sd_event_source_disable_unref(receiver->end);
        *receiver = (Receiver){ .pid = 0 };
        return 0;
}

static void server_watch_receiver(Server *server, sd_event *event, pid_t pid)
{
        _cleanup_close_ int fd = -EBADF;
        Receiver *place = NULL;

        for (size_t i = 0; i < RECEIVERS_MAX; i++) {
                if (server->receivers[i].pid == pid)
                        return;
                if (server->receivers[i].pid == 0)
                        place = &server->receivers[i];
        }
        fd = place ? pidfd_open(pid, 0) : -EBADF;
        if (fd < 0 && place && errno == ESRCH)
                page_leave(server->page, pid, clock_monotonic_usec());
        if (fd < 0 ||
            sd_event_add_io(event, &place->end, fd, EPOLLIN, server_on_receiver_end, place) < 0)
                return;
        place->pid = pid;
        place->page = server->page;
        (void)sd_event_source_set_io_fd_own(place->end, 1);
        (void)take_fd(fd);
}

/* If the master of nginx can't start a worker, for example because of MemoryMax= or TasksMax=, it
 * does not try again, and would continue without workers. */
uint64_t server_watch(Server *server, sd_event *event, uint64_t now_usec)
{
        pid_t pids[RECEIVERS_MAX];
        size_t n, n_left;

        if (!server->kind->needs_watch || !server->is_ready)
                return UINT64_MAX;
        n = page_find_joined(server->page, pids, RECEIVERS_MAX);
        for (size_t i = 0; i < n; i++)
                server_watch_receiver(server, event, pids[i]);
        n_left = page_find_joined(server->page, pids, RECEIVERS_MAX);
        if (server->phase != SERVER_RECEIVES || n_left > 0) {
                server->deserted_usec = 0;
                return n_left < n ? now_usec : UINT64_MAX;
        }
        if (server->deserted_usec == 0)
                server->deserted_usec = now_usec + DESERTED_USEC;
        if (now_usec < server->deserted_usec)
                return server->deserted_usec;
        log_error("%s started no process that receives connections; it is killed, and the next "
                  "connection starts it again; look at MemoryMax=, TasksMax= and LimitNOFILE=",
                  server->kind->name);
        child_kill_all(&server->process);
        server->deserted_usec = UINT64_MAX;
        return UINT64_MAX;
}

/* --- the end --- */

void server_leave(Server *server, uint64_t now_usec, uint64_t deadline_usec)
{
        assert(server->phase == SERVER_RECEIVES);
        server->phase = SERVER_DRAINS;
        server->drained_usec = now_usec + DRAIN_USEC;
        server->deadline_usec = deadline_usec;
        page_bar(server->page, true);
}

void server_hurry(Server *server, uint64_t deadline_usec)
{
        assert(server->phase != SERVER_RECEIVES);
        server->deadline_usec = MIN(server->deadline_usec, deadline_usec);
}

void server_cut(Server *server, uint64_t now_usec)
{
        assert(server->phase < SERVER_IS_CUT);
        child_kill(&server->process, SIGTERM);
        server->phase = SERVER_IS_CUT;
        server->deadline_usec = now_usec + END_USEC;
}

static void server_meet_deadline(Server *server, uint64_t now_usec)
{
        if (server->phase < SERVER_IS_CUT) {
                server_cut(server, now_usec);
                return;
        }
        child_kill_all(&server->process);
        server->phase = SERVER_IS_KILLED;
        server->deadline_usec = UINT64_MAX;
}

/* Wakes an ending server. By itself, the server reaps its processes only once a second, and the
 * next start of the instance would have to wait for this. */
static uint64_t server_wake(Server *server, uint64_t now_usec)
{
        if (server->kind->wake_signal == 0 || server->wake_pause_usec >= WAKE_USEC_MOST)
                return UINT64_MAX;
        if (now_usec < server->wake_usec)
                return server->wake_usec;
        if (server->wake_usec > 0)
                child_kill(&server->process, server->kind->wake_signal);
        server->wake_pause_usec =
                server->wake_usec > 0 ? server->wake_pause_usec * 2 : WAKE_USEC_FIRST;
        server->wake_usec = now_usec + server->wake_pause_usec;
        return server->wake_usec;
}

uint64_t server_step(Server *server, uint64_t now_usec)
{
        PageSum sum = { 0 };

        assert(server->phase != SERVER_RECEIVES);
        page_add(server->page, &sum);
        if (now_usec >= server->deadline_usec)
                server_meet_deadline(server, now_usec);
        if (server->phase == SERVER_DRAINS) {
                if (now_usec < server->drained_usec &&
                    (sum.n_in_hand > 0 || (!server->is_ready && sum.n_handoffs > 0)))
                        return MIN(server->drained_usec, server->deadline_usec);
                /* A server that is not ready may ignore its stop signal, so it gets SIGTERM. It has
                 * usually received no connection yet. */
                child_kill(&server->process,
                           server->is_ready ? server->kind->stop_signal : SIGTERM);
                server->phase = SERVER_FINISHES;
        }
        if (server->phase == SERVER_FINISHES && sum.n_open == 0)
                server_hurry(server, now_usec + END_USEC);
        return MIN(server_wake(server, now_usec), server->deadline_usec);
}
