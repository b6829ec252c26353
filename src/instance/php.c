/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "instance/child.h"
#include "instance/php.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/text.h"

/* Requests that wait while PHP starts or all its workers are busy; the kernel cuts it to
 * net.core.somaxconn. */
#define BACKLOG 1024

/* A process that ends unasked is followed by the next. If this many do, each within this time of
 * the one before, they are of no use: waiting requests are refused. */
#define ENDS_MOST 5
#define SOON_USEC UINT64_C(2000000)

/* As `listen` in fpm.conf names it, and PHP-FPM's own variable for a socket that it did not open.
 */
#define FPM_SOCKETS "FPM_SOCKETS=/dev/fd/3=3"
/* The empty first folder is the machine's own. */
#define FPM_INI "PHP_INI_SCAN_DIR=:" BELLHOP_CONFIG_DIR "/php"

struct PhpProcess {
        Php *php;
        pid_t pid;
        sd_event_source *end_source;
        LIST_ENTRY(PhpProcess) link;
};

/* --- what is installed --- */

/* NULL: none. */
static char *php_find_program(const PhpSettings *settings)
{
        const char *newest = NULL;
        char *found = NULL;
        glob_t all;

        if (settings->program)
                return strdup(settings->program);
        if (glob(BELLHOP_PHP_FPM, GLOB_NOSORT, NULL, &all) != 0)
                return NULL;
        for (size_t i = 0; i < all.gl_pathc; i++)
                if (!newest || strverscmp(all.gl_pathv[i], newest) > 0)
                        newest = all.gl_pathv[i];
        if (newest)
                found = strdup(newest);
        globfree(&all);
        return found;
}

/* The customer's own file includes that of all. NULL: there is neither. */
static char *php_find_config(const PhpSettings *settings)
{
        _cleanup_free_ char *own =
                text_format("%s/sites/%s/php.fpm", settings->config_dir, settings->instance);
        _cleanup_free_ char *common = text_format("%s/php/fpm.conf", settings->config_dir);

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

/* False: there is no PHP. */
static bool php_find(const PhpSettings *settings, PhpCommand *ret)
{
        *ret = (PhpCommand){ php_find_program(settings), php_find_config(settings) };
        return ret->program && ret->config;
}

/* --- the socket --- */

static int php_make_socket(const char *runtime_dir)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const int n =
                snprintf(address.sun_path, sizeof(address.sun_path), "%s/php.sock", runtime_dir);

        if (fd < 0)
                return -errno;
        if (n < 0 || (size_t)n >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        (void)unlink(address.sun_path); /* of a supervisor that was killed */
        /* The file gets the mode that the socket has. */
        if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, BACKLOG) < 0)
                return -errno;
        return take_fd(fd);
}

/*
 * Waiting requests get an error now rather than a time-out later. Only for this moment the socket
 * must not block: PHP-FPM knows it as one that does.
 */
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

/* The supervisor waits for requests only while no process takes them. */
static void php_listen(Php *php)
{
        if (php->requests)
                (void)sd_event_source_set_enabled(php->requests,
                                                  php->current ? SD_EVENT_OFF : SD_EVENT_ON);
}

/* --- processes --- */

static void php_process_free(PhpProcess *process)
{
        Php *php = process->php;

        if (php->current == process)
                php->current = NULL;
        else
                LIST_REMOVE(process, link);
        sd_event_source_disable_unref(process->end_source);
        free(process);
}

/* After an end that nobody asked for. */
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

static void php_after_unasked_end(Php *php, pid_t pid, int status)
{
        /* Its workers finish what they do, and would take requests for ever without this. */
        if (status != 0)
                (void)kill(-pid, SIGQUIT);
        if (php_is_useless(php, status)) {
                log_error("PHP does not work (%s %d): waiting requests get 503 Service "
                          "Unavailable, and the next request tries again; see systemctl status "
                          "bellhop@%s.service",
                          WIFSIGNALED(status) ? "signal" : "exit status",
                          WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                          php->settings->instance);
                php_refuse_waiting(php);
        } else if (status != 0) {
                log_warning("PHP was killed (signal %d): its requests in progress are lost, and "
                            "the next request starts it again",
                            WTERMSIG(status));
        }
}

static int php_on_end(sd_event_source *source, const siginfo_t *info, void *userdata)
{
        PhpProcess *process = userdata;
        Php *php = process->php;
        const bool was_current = php->current == process;
        const pid_t pid = process->pid;

        php_process_free(process);
        if (was_current)
                php_after_unasked_end(php, pid,
                                      info->si_code == CLD_EXITED ? W_EXITCODE(info->si_status, 0)
                                                                  : W_EXITCODE(0, info->si_status));
        php_listen(php);
        php->on_end(php->userdata);
        return 0;
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

        assert(!php->current && php->socket >= 0);
        if (!php_find(php->settings, &command))
                return -ENOENT;
        process = calloc(1, sizeof(*process));
        if (!process)
                return -ENOMEM;
        php_make_session_folder(php->settings->state_dir);
        process->php = php;
        process->pid = child_start(&(Child){
                .argv = (const char *const[]){ command.program, "--nodaemonize", "--fpm-config",
                                               command.config, NULL },
                .fds = { php->socket },
                .n_fds = 1,
                .environment = (const char *const[]){ FPM_SOCKETS, FPM_INI, NULL },
        });
        if (process->pid < 0) {
                const int r = (int)process->pid;

                free(process);
                return r;
        }
        php->current = process;
        return sd_event_add_child(php->event, &process->end_source, process->pid, WEXITED,
                                  php_on_end, process);
}

static int php_open(Php *php);
static void php_close(Php *php);

static int php_on_request(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Php *php = userdata;
        int r;

        if (php->current)
                return 0;
        if (revents & (EPOLLHUP | EPOLLERR)) {
                log_warning("the socket of PHP was shut by somebody; there is a new one");
                php_close(php);
                (void)php_open(php);
                return 0;
        }
        r = php_start(php);
        if (r < 0) {
                errno = -r;
                log_error("can't start PHP: %m; waiting requests get 503 Service Unavailable; look "
                          "at MemoryMax=, TasksMax= and LimitNOFILE= of bellhop@%s.service",
                          php->settings->instance);
                php_refuse_waiting(php);
        }
        php_listen(php);
        return 0;
}

/* --- what the supervisor does with it --- */

void php_init(Php *php, sd_event *event, const PhpSettings *settings,
              void (*on_end)(void *userdata), void *userdata)
{
        *php = (Php){ .event = event,
                      .settings = settings,
                      .on_end = on_end,
                      .userdata = userdata,
                      .socket = -EBADF };
}

static void php_close(Php *php)
{
        if (php->socket < 0)
                return;
        php_refuse_waiting(php);
        /* Old workers have it, too. */
        (void)shutdown(php->socket, SHUT_RDWR);
        php->requests = sd_event_source_disable_unref(php->requests);
        php->socket = close_fd(php->socket);
}

static int php_open(Php *php)
{
        if (php->socket >= 0)
                return 0;
        php->socket = php_make_socket(php->settings->runtime_dir);
        if (php->socket < 0)
                return php->socket;
        return sd_event_add_io(php->event, &php->requests, php->socket, EPOLLIN, php_on_request,
                               php);
}

void php_load(Php *php)
{
        _cleanup_(php_command_done) PhpCommand command = { 0 };
        int r;

        php_leave(php);
        if (!php_find(php->settings, &command)) {
                php_close(php);
                return;
        }
        r = php_open(php);
        if (r < 0) {
                errno = -r;
                log_error("no PHP: can't listen on %s/php.sock: %m", php->settings->runtime_dir);
                php_close(php);
        }
}

void php_leave(Php *php)
{
        PhpProcess *process = take_ptr(php->current);

        if (!process)
                return;
        LIST_INSERT_HEAD(&php->leaving, process, link);
        (void)kill(process->pid, SIGQUIT);
        php_listen(php);
}

bool php_is_leaving(const Php *php)
{
        return !LIST_EMPTY(&php->leaving);
}

void php_done(Php *php)
{
        php_leave(php);
        php_close(php);
        while (!LIST_EMPTY(&php->leaving)) {
                PhpProcess *process = LIST_FIRST(&php->leaving);

                (void)kill(-process->pid, SIGKILL);
                php_process_free(process);
        }
}

int php_test(const PhpSettings *settings)
{
        _cleanup_(php_command_done) PhpCommand command = { 0 };
        int status = 0;
        pid_t pid;

        if (!php_find(settings, &command))
                return 0;
        pid = child_start(&(Child){
                .argv = (const char *const[]){ command.program, "-t", "--fpm-config",
                                               command.config, NULL },
                .environment = (const char *const[]){ FPM_INI, NULL },
        });
        if (pid < 0)
                return (int)pid;
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status;
}
