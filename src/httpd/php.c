/* SPDX-License-Identifier: MIT */
/*
 * Owns the socket of the customer's PHP, and who takes requests from it. What waits in the socket
 * outlives a process that ends, or is told to; never reads a request.
 */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <ap_mpm.h>
#include <apr_portable.h>
#include <apr_strings.h>
#include <http_log.h>

#include "httpd/php.h"
#include "util/cleanup.h"
#include "util/clock.h"

APLOG_USE_MODULE(bellhop);

/* As many as may wait while PHP starts or all its workers are busy; the kernel cuts it to
 * net.core.somaxconn. */
#define BACKLOG 1024

/* One that ends unasked is followed by the next, which serves who waits. If so many do, each so
 * soon after the one before, they are of no use. */
#define ENDS_MOST 5
#define SOON_USEC UINT64_C(2000000)

/* The server tells exit codes and signals by the same number. PHP-FPM's codes, like those of
 * programs that can't be run, are above all signals. */
#define EXIT_CODE_LEAST 64

struct PhpProcess {
        apr_proc_t proc;
        Php *php;
        PhpProcess *next; /* of those that are leaving */
};

static const PhpSettings *settings;
static apr_pool_t *pconf;
static server_rec *server;

/* --- what is installed --- */

static bool is_newer(const char *path, const char *than)
{
        return !than || strverscmp(path, than) > 0;
}

/* NULL: none. */
static const char *find_fpm(apr_pool_t *pool)
{
        const char *chosen = getenv("BELLHOP_PHP_FPM"), *newest = NULL;
        glob_t found;

        if (chosen && *chosen)
                return chosen;
        if (glob(BELLHOP_PHP_FPM, GLOB_NOSORT, NULL, &found) != 0)
                return NULL;
        for (size_t i = 0; i < found.gl_pathc; i++)
                if (is_newer(found.gl_pathv[i], newest))
                        newest = found.gl_pathv[i];
        newest = apr_pstrdup(pool, newest);
        globfree(&found);
        return newest;
}

/* A file of the customer's includes that of all. NULL: neither is there. */
static const char *find_config(const PhpSettings *of, apr_pool_t *pool)
{
        const char *own =
                apr_pstrcat(pool, of->config_dir, "/sites/", of->instance, "/php.fpm", NULL);
        const char *common = apr_pstrcat(pool, of->config_dir, "/php/fpm.conf", NULL);

        return access(own, F_OK) == 0 ? own : access(common, F_OK) == 0 ? common : NULL;
}

/* Ends with NULLs if there is no PHP. */
typedef struct Command {
        const char *fpm, *config;
} Command;

static bool find_command(const PhpSettings *of, apr_pool_t *pool, Command *ret)
{
        *ret = (Command){ 0 };
        if (of->socket)
                *ret = (Command){ find_fpm(pool), find_config(of, pool) };
        return ret->fpm && ret->config;
}

/* --- the socket --- */

static int make_socket(const char *path)
{
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        if (fd < 0)
                return -errno;
        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path));
        (void)unlink(path); /* of a server that was killed */
        /* The file gets what the socket has. */
        if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
            listen(fd, BACKLOG) < 0)
                return -errno;
        return take_fd(fd);
}

/*
 * Who waits gets an error now rather than when he loses patience. Only for this moment the socket
 * must not block: PHP-FPM knows it as one that does.
 */
static void refuse_waiting(const Php *php)
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

/* --- processes --- */

static bool is_useless(Php *php, int status)
{
        const uint64_t now = clock_monotonic_usec();

        if (status >= EXIT_CODE_LEAST)
                return true;
        if (now - php->ended_usec > SOON_USEC)
                php->n_ends = 0;
        php->ended_usec = now;
        return ++php->n_ends >= ENDS_MOST;
}

static void tell_end(bool useless, int status)
{
        if (useless)
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                             "PHP does not work (status %d): who waits for it gets 503 Service "
                             "Unavailable, and the next request tries again; systemctl status "
                             "bellhop@%s may tell why",
                             status, settings->instance);
        else if (status != 0)
                ap_log_error(
                        APLOG_MARK, APLOG_WARNING, 0, server,
                        "PHP was killed (signal %d): what it was doing may be lost, and the next "
                        "request starts it again",
                        status);
}

static void after_current(Php *php, pid_t pid, int status)
{
        int state = AP_MPMQ_STOPPING;
        bool useless;

        (void)ap_mpm_query(AP_MPMQ_MPM_STATE, &state);
        if (state == AP_MPMQ_STOPPING)
                return;
        /* Its workers finish what they do, and would take requests for ever if nobody told them. */
        if (status != 0)
                (void)kill(-pid, SIGQUIT);
        useless = is_useless(php, status);
        tell_end(useless, status);
        if (useless)
                refuse_waiting(php);
        php_run(php);
}

static void forget(Php *php, PhpProcess *process)
{
        for (PhpProcess **at = &php->leaving; *at; at = &(*at)->next)
                if (*at == process) {
                        *at = process->next;
                        break;
                }
        if (php->current == process)
                php->current = NULL;
        free(process);
}

static void on_change(int reason, void *data, int status)
{
        PhpProcess *process = data;
        Php *php = process->php;
        const bool was_current = php->current == process;
        const pid_t pid = process->proc.pid;

        if (reason != APR_OC_REASON_DEATH && reason != APR_OC_REASON_LOST)
                return;
        apr_proc_other_child_unregister(process);
        forget(php, process);
        if (was_current)
                after_current(php, pid, status);
}

static void heed(PhpProcess *process)
{
        apr_proc_other_child_register(&process->proc, on_change, process, NULL, pconf);
}

static void send_output(const Php *php, apr_procattr_t *attributes, apr_pool_t *pool)
{
        apr_file_t *file;
        int fd = php->output;

        if (fd < 0 || apr_os_file_put(&file, &fd, APR_FOPEN_WRITE, pool) != APR_SUCCESS)
                return;
        (void)apr_procattr_child_out_set(attributes, file, NULL);
        (void)apr_procattr_child_err_set(attributes, file, NULL);
}

static apr_status_t create(Php *php, const Command *command, PhpProcess *process, apr_pool_t *pool)
{
        const char *const arguments[] = { settings->program, command->fpm, command->config, NULL };
        apr_procattr_t *attributes;
        apr_file_t *socket;
        apr_status_t status = apr_procattr_create(&attributes, pool);

        if (status == APR_SUCCESS)
                status = apr_os_file_put(&socket, &php->socket, APR_FOPEN_READ, pool);
        if (status == APR_SUCCESS)
                status = apr_procattr_child_in_set(attributes, socket, NULL);
        if (status == APR_SUCCESS)
                status = apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV);
        if (status == APR_SUCCESS)
                status = apr_procattr_error_check_set(attributes, 1);
        if (status != APR_SUCCESS)
                return status;
        send_output(php, attributes, pool);
        return apr_proc_create(&process->proc, settings->program, arguments, NULL, attributes,
                               pool);
}

/* NULL: that is not possible. */
static PhpProcess *start(Php *php)
{
        PhpProcess *process = calloc(1, sizeof(*process));
        apr_status_t status = APR_ENOENT;
        apr_pool_t *pool;
        Command command;

        if (!process)
                return NULL;
        process->php = php;
        apr_pool_create(&pool, pconf);
        if (find_command(settings, pool, &command))
                status = create(php, &command, process, pool);
        apr_pool_destroy(pool);
        if (status != APR_SUCCESS) {
                ap_log_error(APLOG_MARK, APLOG_CRIT, status, server,
                             "can't run %s; look at TasksMax= and LimitNOFILE=", settings->program);
                free(process);
                return NULL;
        }
        heed(process);
        return process;
}

static void tell_to_end(Php *php, PhpProcess *process)
{
        process->next = php->leaving;
        php->leaving = process;
        (void)kill(process->proc.pid, SIGQUIT);
}

static void replace(Php *php, PhpProcess *by)
{
        if (php->current)
                tell_to_end(php, php->current);
        php->current = by;
}

/* --- what the server does with it --- */

void php_init(Php *php)
{
        *php = (Php){ .socket = -EBADF, .output = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3) };
}

static void close_down(Php *php)
{
        if (php->socket < 0)
                return;
        replace(php, NULL);
        refuse_waiting(php);
        /* Old children have it, too. */
        (void)shutdown(php->socket, SHUT_RDWR);
        php->socket = close_fd(php->socket);
}

static void open_up(Php *php)
{
        if (php->socket >= 0)
                return;
        php->socket = make_socket(settings->socket);
        if (php->socket < 0)
                ap_log_error(APLOG_MARK, APLOG_CRIT, -php->socket, server,
                             "no PHP: can't listen at %s", settings->socket);
}

static void heed_all(Php *php)
{
        if (php->current)
                heed(php->current);
        for (PhpProcess *process = php->leaving; process; process = process->next)
                heed(process);
}

void php_set_up(Php *php, const PhpSettings *new_settings, apr_pool_t *pool, server_rec *of)
{
        Command command;

        settings = new_settings;
        pconf = pool;
        server = of;
        heed_all(php);
        if (!find_command(settings, pool, &command)) {
                close_down(php);
                return;
        }
        open_up(php);
        /* A new one, as program and files may be others now. What it can't take, the old one may
         * go on with. */
        if (php->current) {
                PhpProcess *process = start(php);

                if (process)
                        replace(php, process);
        }
}

void php_run(Php *php)
{
        if (php->socket >= 0 && !php->current)
                php->current = start(php);
}

static void wait_for(const PhpProcess *process, uint64_t until_usec)
{
        _cleanup_close_ int fd = pidfd_open(process->proc.pid, 0);
        struct pollfd ended = { .fd = fd, .events = POLLIN };
        int r = -1;

        while (fd >= 0 && r < 0) {
                const uint64_t now = clock_monotonic_usec();
                const uint64_t left = until_usec > now ? until_usec - now : 0;

                r = poll(&ended, 1, (int)(left / 1000));
                if (r < 0 && errno != EINTR)
                        break;
        }
}

void php_end(Php *php, uint64_t until_usec)
{
        replace(php, NULL);
        for (const PhpProcess *process = php->leaving; process; process = process->next)
                wait_for(process, until_usec);
}

bool php_try(const PhpSettings *of, apr_pool_t *pool)
{
        Command command;
        apr_procattr_t *attributes;
        apr_exit_why_e why;
        apr_proc_t proc;
        int code;

        if (!find_command(of, pool, &command))
                return true;

        const char *const arguments[] = { command.fpm, "-t", "--fpm-config", command.config, NULL };

        return apr_procattr_create(&attributes, pool) == APR_SUCCESS &&
               apr_procattr_cmdtype_set(attributes, APR_PROGRAM_ENV) == APR_SUCCESS &&
               apr_proc_create(&proc, command.fpm, arguments, NULL, attributes, pool) ==
                       APR_SUCCESS &&
               apr_proc_wait(&proc, &code, &why, APR_WAIT) == APR_CHILD_DONE && code == 0;
}
