/* SPDX-License-Identifier: MIT */
/* bellhop-firewall: keeps the rules for instances with Network=internet in force. It owns the table
 * of the rules in the kernel, so the rules last as long as this process. It also follows changes of
 * /etc/resolv.conf, because the rules contain the name servers. */
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/inotify.h>
#include <systemd/sd-event.h>

#include "firewall/allow.h"
#include "firewall/rules.h"
#include "firewall/sockets.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/notify.h"
#include "util/options.h"
#include "util/text.h"

#define RULES       BELLHOP_CONFIG_DIR "/firewall.nft"
#define RESOLV_DIR  "/etc"
#define RESOLV_CONF RESOLV_DIR "/resolv.conf"
/* The C library reads a file of any size, but no real resolv.conf is larger than this. */
#define RESOLV_MAX_BYTES 65536

#define SOCKETS_MAX_DEFAULT 1000

static const char help[] = "Usage: bellhop-firewall [OPTIONS...]\n\n"
                           "Limits instances with Network=internet to the internet. Normally "
                           "started by\n"
                           "bellhop-firewall.service, with the first such instance.\n\n"
                           "      --rules=FILE     Rules (default: " RULES ")\n"
                           "  -h, --help           Show this help\n"
                           "      --version        Show the version\n\n"
                           "See bellhop-firewall(8).\n";

typedef struct Firewall {
        sd_event *event;
        struct nft_ctx *nft;
        Notify notify;
        const char *rules;
        sd_event_source *watches[2]; /* watches the folders of resolv.conf and of its target */
        Resolvers resolvers;
        bool is_loaded;
} Firewall;

/* Reads the name servers. If resolv.conf is missing or can't be read, treats it as empty. */
static void firewall_read_resolvers(Resolvers *ret)
{
        _cleanup_fclose_ FILE *file = fopen(RESOLV_CONF, "re");
        static char text[RESOLV_MAX_BYTES];
        const size_t size = file ? fread(text, 1, sizeof(text), file) : 0;

        resolvers_parse((Span){ .data = (const uint8_t *)text, .size = size }, ret);
}

static int firewall_load(Firewall *firewall)
{
        int r;

        firewall_read_resolvers(&firewall->resolvers);
        r = rules_load(firewall->nft, firewall->rules, &firewall->resolvers, firewall->is_loaded);
        if (r < 0)
                return r;
        firewall->is_loaded = true;
        r = allow_resolvers(&firewall->resolvers);
        if (r < 0)
                log_warning_errno(r,
                                  "can't exempt the name servers from IPAddressDeny=, so instances "
                                  "with Network=internet may not be able to resolve names: %m; try "
                                  "'systemctl reload bellhop-firewall.service'");
        return 0;
}

static void firewall_tell(Firewall *firewall, int r)
{
        notify_send(&firewall->notify, NOTIFY_READY, "%s%zu name servers",
                    r < 0 ? "The new rules have a mistake, so the old ones remain in force; " : "",
                    firewall->resolvers.n);
}

/* --- events --- */

static int firewall_watch(Firewall *firewall);

static int firewall_reload(Firewall *firewall)
{
        notify_send(&firewall->notify, NOTIFY_RELOADING, "Reloading");
        firewall_tell(firewall, firewall_load(firewall));
        return firewall_watch(firewall);
}

static int firewall_on_hup(sd_event_source *source, const struct signalfd_siginfo *info,
                           void *userdata)
{
        return firewall_reload(userdata);
}

static int firewall_on_change(sd_event_source *source, const struct inotify_event *event,
                              void *userdata)
{
        Firewall *firewall = userdata;
        Resolvers now;

        firewall_read_resolvers(&now);
        /* Changes of other files in the folder of resolv.conf also lead here. */
        return now.n == firewall->resolvers.n && memcmp(now.ips, firewall->resolvers.ips,
                                                        now.n * sizeof(now.ips[0])) == 0
                       ? 0
                       : firewall_reload(firewall);
}

/* Watches the folders of resolv.conf and of its target: resolv.conf may become another link, or its
 * target may be replaced. */
static int firewall_watch(Firewall *firewall)
{
        char paths[2][PATH_MAX] = { RESOLV_CONF };
        int r = 0;

        if (!realpath(RESOLV_CONF, paths[1]))
                paths[1][0] = 0;
        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(paths); i++) {
                char *slash = strrchr(paths[i], '/');

                firewall->watches[i] = sd_event_source_disable_unref(firewall->watches[i]);
                if (!slash || slash == paths[i])
                        continue;
                *slash = 0;
                if (i > 0 && strcmp(paths[i], paths[0]) == 0)
                        continue;
                r = sd_event_add_inotify(firewall->event, &firewall->watches[i], paths[i],
                                         IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE,
                                         firewall_on_change, firewall);
        }
        return r < 0 ? r : 0;
}

/* --- start and end --- */

static void firewall_limit_sockets(void)
{
        const char *text = getenv("BELLHOP_SOCKETS_MAX");
        uint64_t max = SOCKETS_MAX_DEFAULT;
        int r;

        if (text && !text_number(span_from_string(text), INT32_MAX, &max))
                log_warning("BELLHOP_SOCKETS_MAX=%s is not a whole number of at most %d; using %d",
                            text, INT32_MAX, SOCKETS_MAX_DEFAULT);
        r = sockets_limit((uint32_t)max);
        if (r < 0)
                log_warning_errno(r, "can't limit the sockets of instances, so one with "
                                     "Network=internet could use all ports of the machine: %m; "
                                     "this needs Linux 5.8 with BPF for control groups");
}

static int firewall_start(Firewall *firewall)
{
        int r;

        firewall->nft = nft_ctx_new(NFT_CTX_DEFAULT);
        if (!firewall->nft || nft_ctx_buffer_error(firewall->nft) != 0)
                return -ENOMEM;
        r = sd_event_new(&firewall->event);
        if (r >= 0)
                r = notify_open_consume(&firewall->notify, firewall->event, -EBADF);
        if (r >= 0)
                r = sd_event_add_signal(firewall->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
                                        firewall_on_hup, firewall);
        if (r >= 0)
                r = sd_event_add_signal(firewall->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK,
                                        NULL, NULL);
        if (r >= 0)
                r = firewall_watch(firewall);
        if (r >= 0)
                r = firewall_load(firewall);
        if (r >= 0)
                r = rules_probe();
        if (r >= 0)
                firewall_limit_sockets();
        return r < 0 ? r : 0;
}

static int firewall_run(Firewall *firewall)
{
        int r = firewall_start(firewall);

        if (r == 0) {
                firewall_tell(firewall, 0);
                r = sd_event_loop(firewall->event);
        } else {
                log_error_errno(r, "can't start: %m");
        }
        for (size_t i = 0; i < ELEMENTSOF(firewall->watches); i++)
                sd_event_source_disable_unref(firewall->watches[i]);
        notify_done(&firewall->notify);
        sd_event_unref(firewall->event);
        nft_ctx_free(firewall->nft);
        return r;
}

int main(int argc, char *argv[])
{
        Firewall firewall = { .rules = RULES };
        const ProgramOption options[] = {
                { "rules", required_argument, &firewall.rules },
                { NULL, 0, NULL },
        };
        const int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        return log_end(firewall_run(&firewall) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
