/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "instance/log-lines.h"
#include "instance/php.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

/* At most this number of requests wait for a worker. The kernel also applies net.core.somaxconn. */
#define BACKLOG 1024

/* If PHP ends by itself this number of times, each time within SOON_USEC of the previous end,
 * waiting requests are refused. */
#define ENDS_MOST 5
#define SOON_USEC UINT64_C(2000000)

/* This environment variable tells PHP-FPM that descriptor 3 is the socket of `listen` in fpm.conf.
 * Descriptor 4 is the `error_log` in fpm.conf. */
#define FPM_SOCKETS "FPM_SOCKETS=/dev/fd/3=3"
/* The empty name before the colon stands for PHP's default folder of .ini files. */
#define FPM_INI "PHP_INI_SCAN_DIR=:" BELLHOP_CONFIG_DIR "/php"

struct PhpProcess {
        Process process;
        LIST_ENTRY(PhpProcess) link;
};

/* --- installed programs --- */

/* Returns the path of PHP-FPM, or NULL if PHP-FPM is not installed. */
static char *php_find_program(const Context *context)
{
        const char *newest = NULL;
        char *found = NULL;
        glob_t all;

        if (context->php_program)
                return strdup(context->php_program);
        if (glob(BELLHOP_PHP_FPM, GLOB_NOSORT, NULL, &all) != 0)
                return NULL;
        /* glob(3) also finds dangling links, so access(2) checks each path. If the machine has no
         * mail server, /usr/sbin of the instance is a folder of links to the machine's programs,
         * and such a link remains when its program is removed. */
        for (size_t i = 0; i < all.gl_pathc; i++)
                if (access(all.gl_pathv[i], F_OK) == 0 &&
                    (!newest || strverscmp(all.gl_pathv[i], newest) > 0))
                        newest = all.gl_pathv[i];
        if (newest)
                found = strdup(newest);
        globfree(&all);
        return found;
}

/* Returns the path of the customer's own configuration of PHP-FPM, which includes the common
 * configuration. If the customer has none of their own, returns the path of the common
 * configuration. Returns NULL if neither file exists. */
static char *php_find_config(const Context *context)
{
        _cleanup_free_ char *own =
                text_format("%s/sites/%s/php.fpm", context->config_dir, context->instance);
        _cleanup_free_ char *common = text_format("%s/php/fpm.conf", context->config_dir);

        if (own && access(own, F_OK) == 0)
                return take_ptr(own);
        return common && access(common, F_OK) == 0 ? take_ptr(common) : NULL;
}

typedef struct PhpCommand {
        char *program, *config;
} PhpCommand;

static void php_command_done(PhpCommand *command)
{
        free(command->program);
        free(command->config);
}

/* Finds PHP-FPM and its configuration. Returns false if there is no PHP, or if the customer is
 * suspended. */
static bool php_find(const Context *context, PhpCommand *ret)
{
        if (context->is_suspended)
                return false;
        *ret = (PhpCommand){ php_find_program(context), php_find_config(context) };
        return ret->program && ret->config;
}

/* --- the socket --- */

/* Closes the connections of waiting requests, so that they get an error now instead of a time-out
 * later. The socket is non-blocking only during this function, because PHP-FPM expects a blocking
 * socket. */
static void php_refuse_waiting(const Php *php)
{
        const int flags = fcntl(php->socket, F_GETFL);

        if (flags < 0 || fcntl(php->socket, F_SETFL, flags | O_NONBLOCK) < 0)
                return;
        for (int i = 0; i < BACKLOG; i++) {
                _cleanup_close_ int fd = accept4(php->socket, NULL, NULL, SOCK_CLOEXEC);

                if (fd < 0)
                        break;
        }
        (void)fcntl(php->socket, F_SETFL, flags);
}

static void php_close(Php *php)
{
        if (php->socket < 0)
                return;
        php_refuse_waiting(php);
        /* Old workers still have this socket open, so after close(2) alone, the kernel would still
         * accept connections. */
        (void)shutdown(php->socket, SHUT_RDWR);
        php->requests = sd_event_source_disable_unref(php->requests);
        php->socket = close_fd(php->socket);
}

static int php_on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata);

static int php_try_to_open(Php *php)
{
        _cleanup_free_ char *path = text_format("%s/php.sock", php->context->runtime_dir);

        php->socket = child_bind(path, SOCK_STREAM);
        if (php->socket < 0)
                return php->socket;
        if (listen(php->socket, BACKLOG) < 0)
                return -errno;
        return sd_event_add_io(php->event, &php->requests, php->socket, EPOLLIN, php_on_request,
                               php);
}

static void php_open(Php *php)
{
        const int r = php_try_to_open(php);

        if (r >= 0)
                return;
        log_error_errno(r, "no PHP: can't listen on %s/php.sock: %m", php->context->runtime_dir);
        php_close(php);
}

/* --- the log, which PHP-FPM does not write itself: it would wait for a journald that hangs --- */

/* If possible, sends the line to bellhop-log, which writes it to a file: journald makes a file of
 * 8 MB for each user whose lines it gets. Returns false if the line must go to the journal. */
static bool php_log_to_file(const Php *php, const char *line, size_t size)
{
        char head[64];
        const time_t now = time(NULL);
        struct tm tm;
        size_t n;
        struct iovec iov[] = { { head, 0 }, { (char *)line, size } };
        const struct msghdr message = { .msg_iov = iov, .msg_iovlen = ELEMENTSOF(iov) };

        if (php->context->lines_fd < 0 || strcmp(php->context->logs, "files") != 0)
                return false;
        n = (size_t)snprintf(head, sizeof(head), "<%d>", LINES_ERROR * 8 + LOG_WARNING);
        /* The line begins like a line of Apache's error log. */
        n += strftime(head + n, sizeof(head) - n, "[%a %b %d %T %Y] [php] ",
                      localtime_r(&now, &tm));
        iov[0].iov_len = n;
        return sendmsg(php->context->lines_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void php_log(const Php *php, const char *line, size_t size)
{
        _cleanup_free_ char *identifier = text_format("bellhop-php-%s", php->context->instance);
        _cleanup_free_ char *text = strndup(line, size);

        text_make_harmless(text, '\t');
        if (text && !php_log_to_file(php, text, strlen(text)) && identifier)
                (void)journal_write(&(JournalLine){
                        .identifier = identifier, .level = LOG_WARNING, .text = text });
}

static int php_on_log(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Php *php = userdata;
        const ssize_t n =
                read(fd, php->log_text + php->log_size, sizeof(php->log_text) - php->log_size);
        char *line = php->log_text, *end;

        if (n <= 0)
                return 0;
        php->log_size += (size_t)n;
        while ((end = memchr(line, '\n', php->log_size))) {
                php_log(php, line, (size_t)(end - line));
                php->log_size -= (size_t)(end + 1 - line);
                line = end + 1;
        }
        if (php->log_size == sizeof(php->log_text)) {
                php_log(php, line, php->log_size);
                php->log_size = 0;
        }
        memmove(php->log_text, line, php->log_size);
        return 0;
}

static void php_close_log(Php *php)
{
        php->log_source = sd_event_source_disable_unref(php->log_source);
        for (size_t i = 0; i < ELEMENTSOF(php->log); i++)
                php->log[i] = close_fd(php->log[i]);
}

static int php_open_log(Php *php)
{
        int r;

        if (php->log_source)
                return 0;
        if (pipe2(php->log, O_CLOEXEC) < 0)
                return -errno;
        /* The pipe is non-blocking, so that read(2) does not wait if a program of the customer has
         * opened the pipe through /proc and has read the data before us. */
        r = fcntl(php->log[0], F_SETFL, O_NONBLOCK) < 0
                    ? -errno
                    : sd_event_add_io(php->event, &php->log_source, php->log[0], EPOLLIN,
                                      php_on_log, php);
        if (r < 0)
                php_close_log(php);
        return r;
}

/* --- processes --- */

static void php_process_free(Php *php, PhpProcess *process)
{
        if (php->current == process)
                php->current = NULL;
        LIST_REMOVE(process, link);
        child_done(&process->process);
        free(process);
}

/* Call it after PHP has ended unexpectedly. Returns whether PHP has failed, or ends so often that
 * it is of no use. */
static bool php_is_useless(Php *php, int status)
{
        const uint64_t now = clock_monotonic_usec();

        if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
                return true;
        if (now - php->ended_usec > SOON_USEC)
                php->n_ends = 0;
        php->ended_usec = now;
        return ++php->n_ends >= ENDS_MOST;
}

static void php_after_unasked_end(Php *php, int status)
{
        if (php_is_useless(php, status)) {
                log_error("PHP does not work (%s %d): waiting requests get 503 Service "
                          "Unavailable, and the next request tries again; see systemctl status "
                          "bellhop@%s.service",
                          WIFSIGNALED(status) ? "signal" : "exit status",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                          php->context->instance);
                php_refuse_waiting(php);
        } else if (status != 0) {
                log_warning("PHP was killed (signal %d): its requests in progress are lost, and "
                            "the next request starts it again",
                            WTERMSIG(status));
        }
}

static void php_make_session_folder(const char *state_dir)
{
        _cleanup_free_ char *path = state_dir ? text_format("%s/php-sessions", state_dir) : NULL;

        if (path && mkdir(path, 0700) < 0 && errno != EEXIST)
                log_warning("can't make %s: %m; PHP keeps no sessions", path);
}

static int php_start(Php *php)
{
        _cleanup_(php_command_done) PhpCommand command = { 0 };
        PhpProcess *process;
        int r;

        assert(!php->current && php->socket >= 0);
        if (!php_find(php->context, &command))
                return -ENOENT;
        process = calloc(1, sizeof(*process));
        if (!process)
                return -ENOMEM;
        r = php_open_log(php);
        if (r < 0) {
                free(process);
                return r;
        }
        php_make_session_folder(php->context->state_dir);
        LIST_INSERT_HEAD(&php->processes, process, link);
        r = child_start(
                &(Child){
                        .argv = (const char *const[]){ command.program, "--nodaemonize",
                                                       "--fpm-config", command.config, NULL },
                        .fds = { php->socket, php->log[1] },
                        .n_fds = 2,
                        .environment = (const char *const[]){ FPM_SOCKETS, FPM_INI, NULL },
                        .orphan_signal = SIGQUIT, /* workers finish their requests */
                },
                php->event, &process->process);
        if (r < 0)
                php_process_free(php, process);
        else
                php->current = process;
        return r;
}

/* The supervisor waits for requests only while no process takes them. */
static void php_listen(Php *php)
{
        if (php->requests)
                (void)sd_event_source_set_enabled(php->requests,
                                                  php->current ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int php_on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Php *php = userdata;
        int r;

        if (php->current)
                return 0;
        if (revents & (EPOLLHUP | EPOLLERR)) {
                log_warning("a program of the instance shut down the socket of PHP; it was "
                            "replaced by a new one");
                php_close(php);
                php_open(php);
                return 0;
        }
        r = php_start(php);
        if (r < 0) {
                log_error_errno(
                        r,
                        "can't start PHP: %m; waiting requests get 503 Service Unavailable; look "
                        "at MemoryMax=, TasksMax= and LimitNOFILE= of bellhop@%s.service",
                        php->context->instance);
                php_refuse_waiting(php);
        }
        php_listen(php);
        return 0;
}

/* --- interface for the supervisor --- */

void php_init(Php *php, sd_event *event, const Context *context)
{
        *php = (Php){
                .event = event,
                .context = context,
                .socket = -EBADF,
                .log = { -EBADF, -EBADF },
        };
}

void php_load(Php *php)
{
        _cleanup_(php_command_done) PhpCommand command = { 0 };

        php_leave(php);
        if (!php_find(php->context, &command))
                php_close(php);
        else if (php->socket < 0)
                php_open(php);
}

void php_leave(Php *php)
{
        PhpProcess *process = take_ptr(php->current);

        if (process)
                child_kill(&process->process, SIGQUIT);
        php_listen(php);
}

void php_step(Php *php)
{
        PhpProcess *next;

        for (PhpProcess *at = LIST_FIRST(&php->processes); at; at = next) {
                next = LIST_NEXT(at, link);
                if (!at->process.has_ended)
                        continue;
                if (at == php->current)
                        php_after_unasked_end(php, at->process.status);
                php_process_free(php, at);
        }
        php_listen(php);
}

bool php_is_leaving(const Php *php)
{
        const PhpProcess *newest = LIST_FIRST(&php->processes);

        return newest && (newest != php->current || LIST_NEXT(newest, link));
}

void php_done(Php *php)
{
        php_close(php);
        while (!LIST_EMPTY(&php->processes))
                php_process_free(php, LIST_FIRST(&php->processes));
        php_close_log(php);
}

int php_test(const Context *context)
{
        _cleanup_(php_command_done) PhpCommand command = { 0 };
        _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

        if (!php_find(context, &command))
                return 0;
        /* The test also opens the log of PHP-FPM, which is /dev/null here. The test writes errors
         * to standard error. */
        return child_run(&(Child){
                .fds = { null_fd, null_fd },
                .n_fds = 2,
                .argv = (const char *const[]){ command.program, "-t", "--fpm-config",
                                               command.config, NULL },
                .environment = (const char *const[]){ FPM_INI, NULL },
        });
}
