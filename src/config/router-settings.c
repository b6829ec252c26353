/* SPDX-License-Identifier: MIT */
#include "config/config.h"
#include "config/folder.h"
#include "config/names.h"
#include "config/settings.h"
#include "util/cleanup.h"
#include "util/text.h"

#define SECOND UINT64_C(1000000)

const RouterSettings router_settings_default = {
        .sniff_timeout_usec = 10 * SECOND,
        .sniff_max_bytes = 64 * 1024,
        .handoff_timeout_usec = 30 * SECOND,
        .pending_max = 16384,
        .pending_max_per_instance = 1024,
        .pending_max_per_source = 256,
        .source_prefix_ipv4 = 32,
        .source_prefix_ipv6 = 64,
};

#define SETTING(name, parser, field) \
        .key = name, .parse = parser, .offset = offsetof(RouterSettings, field)
#define MORE_THAN_0   .low = 1, .high = UINT64_MAX, .range = "more than 0"
#define AT_MOST(most) .high = most, .range = "at most " #most

static const Setting router_settings[] = {
        { SETTING("SniffTimeoutSec", setting_parse_timespan, sniff_timeout_usec), MORE_THAN_0 },
        /* An ordinary browser's hello needs more than 4K; beyond 1M the kernel's receive window
         * would not hold what the router waits for. */
        { SETTING("SniffMaxBytes", setting_parse_size, sniff_max_bytes), .low = 4096,
          .high = 1048576, .range = "from 4K to 1M" },
        { SETTING("HandoffTimeoutSec", setting_parse_timespan, handoff_timeout_usec), MORE_THAN_0 },
        { SETTING("PendingMax", setting_parse_count, pending_max), MORE_THAN_0 },
        { SETTING("PendingMaxPerInstance", setting_parse_count, pending_max_per_instance),
          MORE_THAN_0 },
        { SETTING("InFlightMaxPerInstance", setting_parse_count, in_flight_max_per_instance),
          AT_MOST(65536) },
        { SETTING("PendingMaxPerSource", setting_parse_count, pending_max_per_source) },
        { SETTING("StartingMax", setting_parse_count, starting_max) },
        { SETTING("SourcePrefixIPv4", setting_parse_count, source_prefix_ipv4), AT_MOST(32) },
        { SETTING("SourcePrefixIPv6", setting_parse_count, source_prefix_ipv6), AT_MOST(128) },
        { SETTING("TrustedProxy", setting_parse_trusted_proxies, trusted_proxies) },
};

static const SettingsTable router_table = { "Router", router_settings,
                                            ELEMENTSOF(router_settings) };

/* A file with an error is left out as a whole: half of it may be the opposite of what was meant. */
static int router_settings_load_file(Config *config, const char *path)
{
        SettingsFile file = { .path = path, .config = config };
        RouterSettings settings = config->router;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = settings_read_file(&file, &text, &size);

        if (r < 0 || !text)
                return r;
        r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, &router_table, &settings);
        if (r == 0 && file.n_problems == 0)
                config->router = settings;
        return r;
}

int router_settings_load(Config *config, const char *dir)
{
        _cleanup_free_ char *path = text_format("%s/router.conf", dir);
        _cleanup_free_ char *drop_ins = text_format("%s/router.conf.d", dir);
        _cleanup_(folder_done) Folder folder = { .n = 0 };
        int r;

        if (!path || !drop_ins)
                return -ENOMEM;
        r = router_settings_load_file(config, path);
        if (r == 0)
                r = folder_list(drop_ins, &folder);
        for (int i = 0; r == 0 && i < folder.n; i++) {
                _cleanup_free_ char *file =
                        text_format("%s/%s" NAME_CONF_SUFFIX, drop_ins, folder.entries[i]->d_name);

                r = file ? router_settings_load_file(config, file) : -ENOMEM;
        }
        return r;
}
