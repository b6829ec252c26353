/* SPDX-License-Identifier: MIT */
/* bellhop-router: options, inherited sockets, run. */
#include <getopt.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "router/router.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/inherit.h"
#include "util/text.h"

#define EXIT_USAGE 2

static const char *config_dir = BELLHOP_CONFIG_DIR;
static const char *runtime_dir = BELLHOP_RUNTIME_DIR;
static pid_t reload_pid = 0;

static void help(void)
{
        printf("Usage: bellhop-router [OPTIONS...]\n\n"
               "Passes connections on inherited sockets named 'public', unread, to the instances\n"
               "whose hosts or addresses they ask for. Answers with metrics on a unix socket "
               "named\n"
               "'control': bellhop-metrics(7). Normally started by bellhop-router.socket.\n\n"
               "      --config=DIR   Configuration (default: %s)\n"
               "      --runtime=DIR  Hand-off sockets NAME.handoff (default: %s)\n"
               "      --reload=PID   Have the router with that process id read its configuration\n"
               "                     again, and wait until it has (for ExecReload=)\n"
               "  -h, --help         Show this help\n"
               "      --version      Show the version\n\n"
               "Without systemd as PID 1, for a try in any folder:\n"
               "  systemd-socket-activate -l 127.0.0.1:8080 --fdname=public \\\n"
               "      bellhop-router --config=DIR --runtime=DIR\n\n"
               "See bellhop-router(8).\n",
               config_dir, runtime_dir);
}

static int parse_pid(const char *text)
{
        uint64_t pid = 0;

        if (!text_number(span_from_string(text), INT32_MAX, &pid) || pid == 0) {
                fprintf(stderr, "--reload=%s is not a process id. Try 'bellhop-router --help'.\n",
                        text);
                return -EINVAL;
        }
        reload_pid = (pid_t)pid;
        return 0;
}

/* 0: go on. 1: done. Negative: wrong usage. */
static int parse_argv(int argc, char *argv[])
{
        enum { ARG_CONFIG = 256, ARG_RUNTIME, ARG_RELOAD, ARG_VERSION };
        static const struct option options[] = {
                { "config", required_argument, NULL, ARG_CONFIG },
                { "runtime", required_argument, NULL, ARG_RUNTIME },
                { "reload", required_argument, NULL, ARG_RELOAD },
                { "help", no_argument, NULL, 'h' },
                { "version", no_argument, NULL, ARG_VERSION },
                { NULL, 0, NULL, 0 },
        };
        int c;

        while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0)
                switch (c) {
                case ARG_CONFIG:
                        config_dir = optarg;
                        break;
                case ARG_RUNTIME:
                        runtime_dir = optarg;
                        break;
                case ARG_RELOAD:
                        if (parse_pid(optarg) < 0)
                                return -EINVAL;
                        break;
                case 'h':
                        help();
                        return 1;
                case ARG_VERSION:
                        printf("bellhop-router %s\n", BELLHOP_VERSION);
                        return 1;
                default:
                        fprintf(stderr, "Try 'bellhop-router --help'.\n");
                        return -EINVAL;
                }
        if (optind < argc) {
                fprintf(stderr, "'%s' is no option. Try 'bellhop-router --help'.\n", argv[optind]);
                return -EINVAL;
        }
        return 0;
}

/* The first one that is not taken yet. It stays non-blocking for PID 1 too, which only polls it. */
static int take_listening(Inherited *inherited, const char *name, int family)
{
        int fd = inherit_take(inherited, name, family, SOCK_STREAM, 1);

        if (fd < 0 || ioctl(fd, FIONBIO, &(int){ 1 }) == 0)
                return fd;
        fd = close_fd(fd);
        return -errno;
}

static int take_public(Router *router, Inherited *inherited, int family)
{
        int fd, r = 0;

        while (r == 0 && (fd = take_listening(inherited, "public", family)) != -ENOENT)
                r = fd < 0 ? fd : router_add_listener_consume(router, fd);
        return r;
}

static void take_pending(Router *router, int fd, const char *name)
{
        const int n = store_take_up_consume(fd, conn_resume_consume, router);

        if (n < 0)
                log_warning_errno(n, "can't take up all connections that were pending before: %m");
        else
                log_info("took up %d connections that were pending before", n);
        store_forget(name);
}

/* The stored ones in the order of their numbers, which systemd does not keep: with the earliest
 * deadlines first, each connection goes to the end of a queue. */
static void take_connections(Router *router, Inherited *inherited)
{
        char name[STORE_NAME_MAX];
        int fd;

        for (size_t number = 0; number < inherited->n; number++) {
                snprintf(name, sizeof(name), STORE_NAME_FORMAT, number);
                while ((fd = inherit_take(inherited, name, AF_UNSPEC, 0, -1)) >= 0)
                        take_pending(router, fd, name);
        }
        while ((fd = inherit_take(inherited, SEAL_EARLY_NAME, AF_UNSPEC, 0, -1)) >= 0)
                conn_resume_consume(router, fd,
                                    &(StoredConn){ .accepted_nsec = clock_nsec(CLOCK_MONOTONIC) });
}

static void report_others(const Inherited *inherited)
{
        for (size_t i = 0; i < inherited->n; i++) {
                if (!inherited->names[i])
                        continue;
                log_warning("inherited descriptor %zu, named '%s', is neither a listening TCP "
                            "socket named 'public' nor the one listening unix stream socket named "
                            "'control'; closing it (FileDescriptorName=public or =control in the "
                            "socket unit)",
                            SD_LISTEN_FDS_START + i, inherited->names[i]);
                store_forget(inherited->names[i]);
        }
}

/* Listening sockets first: whether connections need a seal depends on them. */
static int take_sockets(Router *router, Inherited *inherited)
{
        const int control = take_listening(inherited, "control", AF_UNIX);
        int r = control < 0 && control != -ENOENT ? control : 0;

        if (control >= 0)
                router_set_control_consume(router, control);
        if (r == 0)
                r = take_public(router, inherited, AF_INET);
        if (r == 0)
                r = take_public(router, inherited, AF_INET6);
        if (r < 0)
                return r;
        if (router->n_listeners > 0) {
                router_seal(router);
                take_connections(router, inherited);
        }
        report_others(inherited);
        return router->n_listeners > 0 ? 0 : -ENOTCONN;
}

static int run(void)
{
        _cleanup_(router_done) Router router;
        Inherited inherited;
        int r = router_init(&router, config_dir, runtime_dir);

        if (r < 0)
                return r;
        r = inherit_init(&inherited);
        if (r == 0)
                r = take_sockets(&router, &inherited);
        inherit_done(&inherited);
        if (r == 0)
                return router_run(&router);
        if (r == -ENOTCONN)
                log_error("no listening socket was passed; start bellhop-router.socket, or see "
                          "--help");
        else
                log_error_errno(r, "can't take over the inherited sockets: %m");
        return r;
}

static int ask_for_reload(void)
{
        ReloadAnswer answer = { .result = RELOAD_FAILED };
        const int r = reload_ask(reload_pid, &answer);

        if (r == -ENXIO) {
                log_error("RUNTIME_DIRECTORY is not set; --reload= is for ExecReload= in a unit "
                          "with RuntimeDirectory=");
        } else if (r == -ETIMEDOUT) {
                log_error("the router has not answered yet; it may still read its configuration, "
                          "see systemctl status bellhop-router");
        } else if (r < 0) {
                log_error_errno(r, "can't reload the router, process %d: %m", (int)reload_pid);
        } else if (answer.result == RELOAD_FAILED) {
                log_error("%s", answer.text);
        } else if (answer.result == RELOAD_USED_WITH_ERRORS) {
                log_warning("%s", answer.text);
        }
        return r < 0 || answer.result == RELOAD_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        int r = parse_argv(argc, argv);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;

        log_open();
        if (reload_pid > 0)
                return ask_for_reload();
        return run() < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
