/* SPDX-License-Identifier: MIT */
/* The program bellhop-mail: reads its options, takes the inherited socket, and calls door_run(). */
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "mail/door.h"
#include "util/inherit.h"
#include "util/log.h"
#include "util/options.h"

static const char help[] =
        "Usage: bellhop-mail [OPTIONS...]\n\n"
        "Passes messages from customers' programs to the machine's mail server, within a\n"
        "budget for each customer. Normally started by bellhop-mail.socket.\n\n"
        "      --config=DIR     Folder of mail.conf (default: " BELLHOP_CONFIG_DIR ")\n"
        "      --state=DIR      Folder for the counts of messages (default: $STATE_DIRECTORY)\n"
        "  -h, --help           Show this help\n"
        "      --version        Show the version\n\n"
        "See bellhop-mail(8).\n";

int main(int argc, char *argv[])
{
        Door door = { .config_dir = BELLHOP_CONFIG_DIR,
                      .state_dir = getenv("STATE_DIRECTORY"),
                      .listen_fd = -EBADF };
        const ProgramOption options[] = {
                { "config", required_argument, &door.config_dir },
                { "state", required_argument, &door.state_dir },
                { NULL, 0, NULL },
        };
        Inherited inherited;
        int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        r = inherit_init(&inherited);
        if (r == 0)
                door.listen_fd = inherit_take(&inherited, "mail", AF_UNIX, SOCK_STREAM, 1);
        inherit_done(&inherited);
        if (r < 0 || door.listen_fd < 0 || !door.state_dir) {
                log_error("no socket was passed, or --state= is missing; start "
                          "bellhop-mail.socket, or see --help");
                return log_end(EXIT_FAILURE);
        }
        (void)fcntl(door.listen_fd, F_SETFL, O_NONBLOCK);
        return log_end(door_run(&door) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
