/* SPDX-License-Identifier: MIT */
/* bellhop-router: reads options, takes inherited sockets, and runs the router. */
#include <getopt.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "router/router.h"
#include "seal/seal.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/inherit.h"
#include "util/options.h"
#include "util/text.h"

static const char help[] =
        "Usage: bellhop-router [OPTIONS...]\n\n"
        "Passes connections on inherited sockets named 'public', unread, to the instances\n"
        "that have the requested host or address. Answers with metrics on a unix socket named\n"
        "'control': bellhop-metrics(7). Normally started by bellhop-router.socket.\n\n"
        "      --config=DIR   Configuration (default: " BELLHOP_CONFIG_DIR ")\n"
        "      --runtime=DIR  Hand-off sockets NAME.handoff (default: " BELLHOP_RUNTIME_DIR ")\n"
        "      --challenges=DIR\n"
        "                     Pending challenges (default: " CHALLENGE_DIR ")\n"
        "      --reload=PID   Have the router with that process id read its configuration\n"
        "                     again, and wait until it has (for ExecReload=)\n"
        "  -h, --help         Show this help\n"
        "      --version      Show the version\n\n"
        "To try it in any folder, without systemd as PID 1:\n"
        "  systemd-socket-activate -l 127.0.0.1:8080 --fdname=public \\\n"
        "      bellhop-router --config=DIR --runtime=DIR\n\n"
        "See bellhop-router(8).\n";

/* Takes the first socket of this name that is not taken yet, and makes it non-blocking. The socket
 * also becomes non-blocking for PID 1, which has the same open file, but PID 1 only polls it. */
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
                log_warning_errno(n, "can't continue all connections that were pending before: %m");
        else
                log_info("continues %d connections that were pending before", n);
        store_forget(&router->notify, name);
}

/* Takes the stored descriptors (see store.h) in the order of the numbers in their names, because
 * systemd may pass them in any order. By these numbers, the connections of each queue are in the
 * order of their deadlines, so each of them goes to the end of its queue. */
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

static void report_others(const Router *router, const Inherited *inherited)
{
        for (size_t i = 0; i < inherited->n; i++) {
                if (!inherited->names[i])
                        continue;
                log_warning("inherited descriptor %zu, named '%s', is neither a listening TCP "
                            "socket named 'public' nor the one listening unix stream socket named "
                            "'control'; closing it (FileDescriptorName=public or =control in the "
                            "socket unit)",
                            INHERIT_FD_FIRST + i, inherited->names[i]);
                store_forget(&router->notify, inherited->names[i]);
        }
}

/* Takes listening sockets before connections, because the listening sockets determine whether
 * connections need a seal. */
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
        report_others(router, inherited);
        return router->n_listeners > 0 ? 0 : -ENOTCONN;
}

static int run(const char *config_dir, const char *runtime_dir, const char *challenges_dir)
{
        _cleanup_(router_done) Router router;
        Inherited inherited;
        int r = router_init(&router, config_dir, runtime_dir, challenges_dir);

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
                log_error_errno(r, "can't use the inherited sockets: %m");
        return r;
}

static int ask_for_reload(const char *pid)
{
        ReloadAnswer answer = { .result = RELOAD_FAILED };
        uint64_t number = 0;
        int r;

        if (!text_number(span_from_string(pid), INT32_MAX, &number) || number == 0) {
                log_error("--reload=%s is not a process id", pid);
                return EXIT_USAGE;
        }
        r = reload_ask((pid_t)number, &answer);
        if (r == -ENXIO) {
                log_error("RUNTIME_DIRECTORY is not set; --reload= is for ExecReload= in a unit "
                          "with RuntimeDirectory=");
        } else if (r == -ETIMEDOUT) {
                log_error("the router has not answered yet; it may still read its configuration, "
                          "see systemctl status bellhop-router");
        } else if (r < 0) {
                log_error_errno(r, "can't reload the router, process %s: %m", pid);
        } else if (answer.result == RELOAD_FAILED) {
                log_error("%s", answer.text);
        } else if (answer.result == RELOAD_USED_WITH_ERRORS) {
                log_warning("%s", answer.text);
        }
        return r < 0 || answer.result == RELOAD_FAILED ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
        const char *config_dir = BELLHOP_CONFIG_DIR, *runtime_dir = BELLHOP_RUNTIME_DIR;
        const char *challenges_dir = CHALLENGE_DIR, *reload_pid = NULL;
        const ProgramOption options[] = {
                { "config", required_argument, &config_dir },
                { "runtime", required_argument, &runtime_dir },
                { "challenges", required_argument, &challenges_dir },
                { "reload", required_argument, &reload_pid },
                { NULL, 0, NULL },
        };
        const int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        if (reload_pid)
                return log_end(ask_for_reload(reload_pid));
        return log_end(run(config_dir, runtime_dir, challenges_dir) < 0 ? EXIT_FAILURE
                                                                        : EXIT_SUCCESS);
}
