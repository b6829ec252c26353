/* SPDX-License-Identifier: MIT */
/* The program bellhop-instance: reads its options, environment and inherited socket, and then runs,
 * tests or reloads an instance. */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "instance/confine.h"
#include "instance/lines.h"
#include "instance/php.h"
#include "instance/server.h"
#include "instance/state.h"
#include "instance/supervisor.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/folder-watch.h"
#include "util/inherit.h"
#include "util/log.h"
#include "util/options.h"
#include "util/text.h"

/* --reload waits at most for this time, which is longer than a server may take to become ready. If
 * TimeoutStartSec= of the unit, which also limits ExecReload=, is shorter, systemd ends the wait
 * earlier. */
#define RELOAD_WAIT_USEC UINT64_C(60000000)

static const char help[] =
        "Usage: bellhop-instance [OPTIONS...] NAME\n"
        "\n"
        "The main process of bellhop@NAME.service. It runs the web server and PHP of one\n"
        "customer. systemd starts it as the customer's user and passes the hand-off socket.\n"
        "\n"
        "      --config=DIR   Configuration (default: " BELLHOP_CONFIG_DIR ")\n"
        "      --test         Test the configuration of server and PHP, and exit\n"
        "      --server=KIND  Test this kind of server, not the one in the file\n"
        "      --judge        Test the server's configuration, and report facts for bellhopctl\n"
        "      --reload=PID   Reload the instance with this main process, and wait\n"
        "  -h, --help         Show this help\n"
        "      --version      Show the version\n"
        "\n"
        "See bellhop-instance(8).\n";

/* The sandbox hides the sockets of systemd, bellhop-usage and bellhop-log from the customer's
 * programs, so the unit passes a folder with these sockets as standard input. Returns a descriptor
 * of the folder, or a negative number. */
static int take_sockets_folder(void)
{
        struct stat st;
        int fd;

        if (fstat(STDIN_FILENO, &st) < 0 || !S_ISDIR(st.st_mode))
                return -EBADF;
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        (void)close(STDIN_FILENO);
        if (open("/dev/null", O_RDONLY) != STDIN_FILENO)
                fd = close_fd(fd);
        return fd;
}

static const char *environment_or(const char *name, const char *otherwise)
{
        const char *value = getenv(name);

        return value && *value ? value : otherwise;
}

static bool server_find(const char *name, ServerType *ret)
{
        for (size_t i = 0; i < SERVER_TYPES; i++)
                if (strcmp(name, server_names[i]) == 0) {
                        *ret = (ServerType)i;
                        return true;
                }
        return false;
}

/* Tests the configuration under the restrictions of the instance (confine.h). Returns only after a
 * failure. */
static void test(Context *context, const char *server, bool with_php)
{
        Instance settings;
        int r = confine(context, &settings);

        if (r < 0)
                return;
        if (server && !server_find(server, &context->server))
                r = -EINVAL;
        if (r == 0 && with_php)
                r = php_test(context);
        if (r == 0)
                r = server_become_test(context);
        if (r < 0)
                fprintf(stderr, "can't test %s: %s\n", context->instance, strerror(-r));
        else
                fprintf(stderr, "PHP would not start: see above.\n");
}

/* --- --reload --- */

typedef struct Reload {
        const char *dir;
        uint64_t begin_usec;
        State state;
} Reload;

/* Returns whether the reload that this program has requested by SIGHUP has ended, or a negative
 * errno. The supervisor publishes the time at which its last reload began. If this time is before
 * the SIGHUP, it belongs to an earlier reload. */
static int look_for_end(void *userdata)
{
        Reload *reload = userdata;
        const int r = state_read(reload->dir, &reload->state);

        return r < 0 ? r
                     : reload->state.reload_usec >= reload->begin_usec &&
                               reload->state.reload != STATE_RELOAD_RUNNING;
}

static bool reload(const Context *context, const char *pid)
{
        Reload ours = { .begin_usec = clock_monotonic_usec() };
        _cleanup_free_ char *dir = NULL;
        uint64_t number;
        int r = -EINVAL;

        if (text_number(span_from_string(pid), INT_MAX, &number)) {
                ours.dir = dir = state_dir_of(number, context->runtime_dir);
                r = dir ? folder_watch(dir, (pid_t)number, SIGHUP,
                                       ours.begin_usec + RELOAD_WAIT_USEC, look_for_end, &ours)
                        : -ENOMEM;
        }

        if (r < 0)
                fprintf(stderr, "%s did not reload: %s\n", context->instance, strerror(-r));
        else if (ours.state.reload != STATE_RELOAD_DONE)
                fprintf(stderr,
                        "The new server did not start: see above. The old one is still running.\n");
        return r == 0 && ours.state.reload == STATE_RELOAD_DONE;
}

/* --- the instance itself --- */

static int inherit_handoff_socket(const char *instance)
{
        Inherited inherited;
        int fd = inherit_init(&inherited);
        int on = 0;
        socklen_t size = sizeof(on);

        if (fd == 0)
                fd = inherit_take(&inherited, PAGE_HANDOFF_NAME, AF_UNIX, SOCK_DGRAM, -1);
        for (size_t i = 0; i < inherited.n; i++)
                if (inherited.names[i])
                        log_warning("closing inherited descriptor '%s': not a hand-off socket "
                                    "(FileDescriptorName=" PAGE_HANDOFF_NAME ", ListenDatagram=)",
                                    inherited.names[i]);
        inherit_done(&inherited);
        if (fd < 0) {
                log_error("no hand-off socket was passed, but an instance needs one for its "
                          "connections; run 'systemctl start bellhop@%s.socket'",
                          instance);
                return fd;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, &size) < 0 || !on)
                log_error("the hand-off socket passes no credentials, so every hand-off will be "
                          "refused; set PassCredentials=yes in bellhop@.socket, and run "
                          "'systemctl restart bellhop@%s.socket'",
                          instance);
        /* SO_LOCK_FILTER forbids filters on the socket. Otherwise a program of the customer could
         * set a filter that drops all hand-offs, and the router would get no error. Not even a new
         * socket would help soon: on Linux 6.18, hand-offs were still dropped long after systemd
         * had made one. */
        (void)setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &(int){ 1 }, sizeof(int));
        return fd;
}

static void block_signals(void)
{
        sigset_t blocked;

        sigemptyset(&blocked);
        sigaddset(&blocked, SIGCHLD);
        sigaddset(&blocked, SIGTERM);
        sigaddset(&blocked, SIGINT);
        sigaddset(&blocked, SIGHUP);
        (void)sigprocmask(SIG_BLOCK, &blocked, NULL);
        (void)signal(SIGPIPE, SIG_IGN);
}

/* Returns the exit status of the server. If a signal ended the server, ends this process by the
 * same signal, so that systemd and the stand-in (src/standin) see the cause. */
static int end_like(int status)
{
        const struct rlimit no_core = { 0 };
        sigset_t all;

        if (!WIFSIGNALED(status))
                return WEXITSTATUS(status);
        (void)setrlimit(RLIMIT_CORE, &no_core); /* the server has already left a core dump */
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)log_end(EXIT_FAILURE);
        sigfillset(&all);
        (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
        (void)raise(WTERMSIG(status));
        return EXIT_FAILURE;
}

static int run(Context *context)
{
        _cleanup_close_ int handoff_fd = -EBADF, lines_fd = -EBADF;
        int status;

        context->serves = true;
        block_signals();
        if (!context->runtime_dir) {
                log_error("$RUNTIME_DIRECTORY is not set; bellhop@.service sets it");
                return EXIT_FAILURE;
        }
        if (strcmp(context->logs, "files") != 0 && strcmp(context->logs, "journal") != 0) {
                log_error("$BELLHOP_LOGS is '%s'; it must be files or journal", context->logs);
                return EXIT_FAILURE;
        }
        handoff_fd = context->handoff_fd = inherit_handoff_socket(context->instance);
        if (handoff_fd < 0)
                return EXIT_FAILURE;
        lines_fd = context->lines_fd = lines_connect(context->sockets_fd);
        status = supervisor_run(context);
        return status < 0 ? EXIT_FAILURE : end_like(status);
}

int main(int argc, char *argv[])
{
        Context context = {
                .config_dir = BELLHOP_CONFIG_DIR,
                .runtime_dir = environment_or("RUNTIME_DIRECTORY", NULL),
                .state_dir = environment_or("STATE_DIRECTORY", NULL),
                .mpm = environment_or("BELLHOP_MPM", "event"),
                .logs = environment_or("BELLHOP_LOGS", "files"),
                .php_program = environment_or("BELLHOP_PHP_FPM", NULL),
                .sockets_fd = take_sockets_folder(),
        };
        const char *tests = NULL, *server = NULL, *judges = NULL, *reload_pid = NULL;
        const ProgramOption options[] = {
                { "config", required_argument, &context.config_dir },
                { "test", no_argument, &tests },
                { "server", required_argument, &server },
                { "judge", no_argument, &judges },
                { "reload", required_argument, &reload_pid },
                { NULL, 0, NULL },
        };
        const int r = options_parse(argc, argv, 1, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        context.instance = argv[optind];
        if (!instance_name_is_valid(context.instance)) {
                fprintf(stderr,
                        "'%s' is not a valid instance name. Try 'bellhop-instance --help'.\n",
                        context.instance);
                return EXIT_USAGE;
        }
        log_open();
        context.judges = judges;
        if (tests || judges || reload_pid)
                context.sockets_fd = close_fd(context.sockets_fd);
        if (reload_pid)
                return log_end(reload(&context, reload_pid) ? EXIT_SUCCESS : EXIT_FAILURE);
        if (!tests && !judges)
                return log_end(run(&context));
        test(&context, server, tests);
        return EXIT_FAILURE;
}
