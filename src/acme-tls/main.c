/* SPDX-License-Identifier: MIT */
/* The program bellhop-acme-tls: reads its options, takes the inherited socket, and runs the
 * responder. */
#include <getopt.h>
#include <pwd.h>
#include <sys/socket.h>

#include "acme-tls/confine.h"
#include "acme-tls/responder.h"
#include "challenge/challenge.h"
#include "util/cleanup.h"
#include "util/inherit.h"
#include "util/log.h"
#include "util/options.h"
#include "util/text.h"

#define IDLE_SEC     "30"
#define IDLE_SEC_MAX 86400

static const char help[] =
        "Usage: bellhop-acme-tls [OPTIONS...]\n\n"
        "Answers certificate authorities that check a host over TLS (tls-alpn-01). Inherits\n"
        "the hand-off socket, named 'handoff'. Normally started by bellhop-acme-tls.socket.\n\n"
        "      --challenges=DIR  Pending challenges (default: " CHALLENGE_DIR ")\n"
        "      --idle=SEC        End after that time without connections (default: " IDLE_SEC ")\n"
        "      --router=USER     The only user whose hand-offs are taken "
        "(default: " BELLHOP_ROUTER_USER ")\n"
        "  -h, --help            Show this help\n"
        "      --version         Show the version\n\n"
        "See bellhop-acme-tls(8).\n";

static int take_socket(void)
{
        Inherited inherited;
        const int r = inherit_init(&inherited);
        const int fd = r < 0 ? r : inherit_take(&inherited, "handoff", AF_UNIX, SOCK_DGRAM, -1);

        inherit_done(&inherited);
        if (fd < 0)
                log_error("no hand-off socket was passed; start bellhop-acme-tls.socket, or see "
                          "--help");
        return fd;
}

int main(int argc, char *argv[])
{
        const char *challenges_dir = CHALLENGE_DIR, *idle = IDLE_SEC, *user = BELLHOP_ROUTER_USER;
        const ProgramOption options[] = {
                { "challenges", required_argument, &challenges_dir },
                { "idle", required_argument, &idle },
                { "router", required_argument, &user },
                { NULL, 0, NULL },
        };
        const struct passwd *router;
        uint64_t idle_sec = 0;
        int fd, r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        if (!text_number(span_from_string(idle), IDLE_SEC_MAX, &idle_sec) || idle_sec == 0) {
                log_error("--idle=%s is not a number of seconds from 1 to %d", idle, IDLE_SEC_MAX);
                return EXIT_USAGE;
        }
        router = getpwnam(user);
        if (!router) {
                log_error("user '%s' does not exist, but the router runs as this user", user);
                return EXIT_FAILURE;
        }
        fd = take_socket();
        if (fd < 0)
                return EXIT_FAILURE;
        r = confine(challenges_dir);
        if (r == CONFINE_UNKNOWN)
                log_warning("this kernel has no Landlock, so only the unit's sandbox keeps code in "
                            "bellhop-acme-tls away from files of bellhop-acme");
        if (r < 0) {
                log_error_errno(r, "can't restrict this process to the files in %s: %m",
                                challenges_dir);
                close_fd(fd);
                return EXIT_FAILURE;
        }
        r = responder_run_consume(fd, router->pw_uid, challenges_dir, idle_sec * 1000000);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
