/* SPDX-License-Identifier: MIT */
/* The program bellhop-acme: reads its options, and runs the queue of instances that need a
 * certificate. */
#include <getopt.h>

#include "acme/queue.h"
#include "acme/state.h"
#include "challenge/challenge.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"

static const char help[] =
        "Usage: bellhop-acme [OPTIONS...]\n\n"
        "Gets certificates for instances with Tls=acme, and renews them. Started by\n"
        "bellhop-acme.service.\n\n"
        "      --config=DIR       Configuration (default: " BELLHOP_CONFIG_DIR ")\n"
        "      --state=DIR        Accounts and states (default: " ACME_STATE_DIR ")\n"
        "      --challenges=DIR   Pending challenges (default: " CHALLENGE_DIR ")\n"
        "      --cert=SOCKET      bellhop-cert (default: " BELLHOP_CERT_SOCKET ")\n"
        "      --hook=PROGRAM     Hook for uacme (default: " BELLHOP_ACME_HOOK ")\n"
        "  -h, --help             Show this help\n"
        "      --version          Show the version\n\n"
        "See bellhop-acme(8).\n";

int main(int argc, char *argv[])
{
        Queue queue = { .config_dir = BELLHOP_CONFIG_DIR,
                        .state_dir = ACME_STATE_DIR,
                        .challenges = CHALLENGE_DIR,
                        .cert_socket = BELLHOP_CERT_SOCKET,
                        .hook = BELLHOP_ACME_HOOK };
        const ProgramOption options[] = {
                { "config", required_argument, &queue.config_dir },
                { "state", required_argument, &queue.state_dir },
                { "challenges", required_argument, &queue.challenges },
                { "cert", required_argument, &queue.cert_socket },
                { "hook", required_argument, &queue.hook },
                { NULL, 0, NULL },
        };
        const int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        return log_end(queue_run(&queue) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
