/* SPDX-License-Identifier: MIT */
/* The program bellhop-usage: reads its options, takes the inherited sockets, and runs the
 * service. */
#include <getopt.h>
#include <linux/netlink.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-id128.h>

#include "usage/usage.h"
#include "util/cleanup.h"
#include "util/inherit.h"
#include "util/log.h"
#include "util/options.h"
#include "util/text.h"

#define INTERVAL_SEC    "60"
#define CONNECTIONS_MAX "262144"
#define INSTANCES_MAX   "20000"

static const char help[] =
        "Usage: bellhop-usage [OPTIONS...]\n\n"
        "Counts what each instance sends, receives and uses, and writes the figures of each month\n"
        "to a file. Normally started by bellhop-usage.socket; 'bellhopctl usage' shows the\n"
        "figures.\n\n"
        "      --interval=SEC   Write the figures at this interval (default: " INTERVAL_SEC ")\n"
        "      --connections=N  Limit of open connections (default: " CONNECTIONS_MAX ")\n"
        "      --instances=N    Limit of instances (default: " INSTANCES_MAX ")\n"
        "      --state=DIR      Where the files are (default: $STATE_DIRECTORY)\n"
        "  -h, --help           Show this help\n"
        "      --version        Show the version\n\n"
        "See bellhop-usage(8).\n";

/* Takes both netlink sockets. The socket that listens to DIAG_GROUPS receives messages about
 * connections that end. The other socket is for questions to the kernel. */
static int take_netlink(Inherited *inherited, Usage *usage)
{
        struct sockaddr_nl address;
        socklen_t size;
        int fd;

        while ((fd = inherit_take(inherited, "usage", AF_NETLINK, SOCK_RAW, -1)) >= 0) {
                size = sizeof(address);
                if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                        return -errno;
                if (address.nl_groups == DIAG_GROUPS)
                        usage->ends_fd = fd;
                else
                        usage->asks_fd = fd;
        }
        return 0;
}

static int take_sockets(Usage *usage)
{
        Inherited inherited;
        int r = inherit_init(&inherited);

        if (r == 0)
                r = take_netlink(&inherited, usage);
        if (r == 0) {
                usage->messages_fd = inherit_take(&inherited, "usage", AF_UNIX, SOCK_DGRAM, -1);
                usage->reports_fd = inherit_take(&inherited, "reports", AF_UNIX, SOCK_DGRAM, -1);
        }
        inherit_done(&inherited);
        if (r == 0 && (usage->ends_fd < 0 || usage->asks_fd < 0 || usage->messages_fd < 0)) {
                log_error("not all sockets were passed; start bellhop-usage.socket, or see --help");
                return -ENOTCONN;
        }
        if (r < 0)
                log_error_errno(r, "can't use the inherited sockets: %m");
        return r;
}

static int open_ledger(Usage *usage, const char *dir)
{
        char boot[SD_ID128_STRING_MAX];
        sd_id128_t id;
        int r = sd_id128_get_boot(&id);

        if (r >= 0)
                r = ledger_open(&usage->ledger, dir, sd_id128_to_string(id, boot), time(NULL));
        if (r == -EBADMSG)
                log_error("%s/%s is damaged; move it elsewhere, and start bellhop-usage again", dir,
                          usage->ledger.month);
        else if (r < 0)
                log_error_errno(r, "can't read the figures in %s: %m", dir);
        return r;
}

static int run(Usage *usage, const char *dir)
{
        const struct passwd *router = getpwnam(BELLHOP_ROUTER_USER);
        struct stat st = { 0 };
        int r;

        if (!router) {
                log_error("user '" BELLHOP_ROUTER_USER "' does not exist, but the router runs as "
                          "this user; create it by systemd-sysusers");
                return -ENOENT;
        }
        usage->router_uid = router->pw_uid;
        r = take_sockets(usage);
        if (r == 0)
                r = open_ledger(usage, dir);
        if (r == 0) {
                (void)fstat(usage->ends_fd, &st);
                ledger_use_socket(&usage->ledger, st.st_ino);
                r = usage_run(usage);
        }
        ledger_done(&usage->ledger);
        return r;
}

int main(int argc, char *argv[])
{
        const char *interval = INTERVAL_SEC, *connections = CONNECTIONS_MAX;
        const char *instances = INSTANCES_MAX, *dir = getenv("STATE_DIRECTORY");
        const ProgramOption options[] = {
                { "interval", required_argument, &interval },
                { "connections", required_argument, &connections },
                { "instances", required_argument, &instances },
                { "state", required_argument, &dir },
                { NULL, 0, NULL },
        };
        Usage usage = {
                .ends_fd = -EBADF, .asks_fd = -EBADF, .messages_fd = -EBADF, .reports_fd = -EBADF
        };
        uint64_t seconds, n_open, n_accounts;
        const int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        if (!dir || !text_number(span_from_string(interval), 86400, &seconds) || seconds == 0 ||
            !text_number(span_from_string(connections), 1U << 26, &n_open) ||
            !text_number(span_from_string(instances), 1U << 20, &n_accounts)) {
                log_error("a number in an option is out of range, or --state= is missing; see "
                          "--help");
                return log_end(EXIT_USAGE);
        }
        usage.interval_usec = seconds * 1000000;
        usage.ledger.open.max = n_open;
        usage.ledger.accounts_max = n_accounts;
        return log_end(run(&usage, dir) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
