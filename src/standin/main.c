/* SPDX-License-Identifier: MIT */
/* bellhop-standin: finds out why an instance ended. Then it refuses the clients of the instance, or
 * lets systemd start the instance again. */
#include <getopt.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "standin/standin.h"
#include "util/cleanup.h"
#include "util/inherit.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/options.h"

/* The pause between two starts of an instance that crashes as soon as it is ready. Clients wait
 * during this pause. */
#define LOOP_PAUSE_USEC 500000

static const char help[] =
        "Usage: bellhop-standin NAME\n\n"
        "Started by systemd when the instance NAME has failed. If the instance could not start,\n"
        "refuses its clients for a moment. If the instance was ready before, ends at once, so\n"
        "that systemd starts it again. Inherits the hand-off socket, named 'handoff'.\n\n"
        "  -h, --help     Show this help\n"
        "      --version  Show the version\n\n"
        "See bellhop(7).\n";

static int run(const char *instance)
{
        Inherited inherited;
        EndingFacts facts;
        int r = inherit_init(&inherited);
        _cleanup_close_ int handoff_fd =
                inherit_take(&inherited, "handoff", AF_UNIX, SOCK_DGRAM, -1);

        inherit_done(&inherited);
        if (r < 0 || handoff_fd < 0) {
                log_error("no hand-off socket was passed; bellhop-standin is started by systemd, "
                          "see --help");
                return -ENOTCONN;
        }
        r = standin_ask(instance, &facts);
        if (r < 0)
                log_warning_errno(r,
                                  "can't ask systemd whether %s was ready (%m); connections in the "
                                  "queue are refused",
                                  instance);
        facts.waited_usec = standin_waited_usec(handoff_fd);
        switch (standin_judge(&facts)) {
        case ENDING_CRASH:
                return 0;
        case ENDING_CRASH_LOOP:
                log_full(LOG_WARNING,
                         &(LogFields){ .message_id = LOG_ID_CRASH_LOOP, .instance = instance },
                         "instance %s crashes (%s) repeatedly as soon as it has started; see "
                         "systemctl status bellhop@%s.service",
                         instance, facts.cause, instance);
                (void)usleep(LOOP_PAUSE_USEC);
                return 0;
        case ENDING_NEVER_READY:
                log_full(LOG_WARNING,
                         &(LogFields){ .message_id = LOG_ID_NO_START, .instance = instance },
                         "instance %s can't start (%s); its clients are refused for %d s, then the "
                         "next connection starts it again; see systemctl status bellhop@%s.service",
                         instance, facts.cause, (int)(STANDIN_PAUSE_USEC / 1000000), instance);
                /* Only the router's user may send connections to the hand-off socket. The stand-in
                 * runs as the same user. */
                return standin_run_consume(take_fd(handoff_fd), instance, facts.cause, getuid(),
                                           STANDIN_PAUSE_USEC);
        }
        return -EINVAL;
}

int main(int argc, char *argv[])
{
        int r = options_parse(argc, argv, 1, (const ProgramOption[]){ { NULL, 0, NULL } }, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        r = run(argv[optind]);
        if (r < 0 && r != -ENOTCONN)
                log_error_errno(r, "bellhop-standin ends: %m");
        return log_end(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
