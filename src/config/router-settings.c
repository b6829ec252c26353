/* SPDX-License-Identifier: MIT */
#include "config/config.h"
#include "config/folder.h"
#include "config/names.h"
#include "config/settings.h"
#include "config/trusted.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Below these the router could not take an ordinary browser's hello, above them the kernel's
 * receive window would not hold what we wait for. */
#define SNIFF_MAX_BYTES_LOW  UINT64_C(4096)
#define SNIFF_MAX_BYTES_HIGH UINT64_C(1048576)

#define IN_FLIGHT_MOST 65536
#define SECOND         UINT64_C(1000000)

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

#define SETTING(key, parse, field)                                    \
        {                                                             \
                "Router", key, parse, offsetof(RouterSettings, field) \
        }

static const Setting router_settings[] = {
        SETTING("SniffTimeoutSec", setting_parse_timespan, sniff_timeout_usec),
        SETTING("SniffMaxBytes", setting_parse_size, sniff_max_bytes),
        SETTING("HandoffTimeoutSec", setting_parse_timespan, handoff_timeout_usec),
        SETTING("PendingMax", setting_parse_count, pending_max),
        SETTING("PendingMaxPerInstance", setting_parse_count, pending_max_per_instance),
        SETTING("InFlightMaxPerInstance", setting_parse_count, in_flight_max_per_instance),
        SETTING("PendingMaxPerSource", setting_parse_count, pending_max_per_source),
        SETTING("StartingMax", setting_parse_count, starting_max),
        SETTING("SourcePrefixIPv4", setting_parse_count, source_prefix_ipv4),
        SETTING("SourcePrefixIPv6", setting_parse_count, source_prefix_ipv6),
        SETTING("TrustedProxy", setting_parse_trusted_proxies, trusted_proxies),
};

static int router_settings_check(SettingsFile *file, const RouterSettings *settings)
{
        if (settings->sniff_timeout_usec == 0)
                return problem_add(file, PROBLEM_LIMITS, "SniffTimeoutSec= must be more than 0");
        if (settings->handoff_timeout_usec == 0)
                return problem_add(file, PROBLEM_LIMITS, "HandoffTimeoutSec= must be more than 0");
        if (settings->sniff_max_bytes < SNIFF_MAX_BYTES_LOW ||
            settings->sniff_max_bytes > SNIFF_MAX_BYTES_HIGH)
                return problem_add(file, PROBLEM_LIMITS, "SniffMaxBytes= must be from 4K to 1M");
        if (settings->pending_max == 0 || settings->pending_max_per_instance == 0)
                return problem_add(file, PROBLEM_LIMITS,
                                   "PendingMax= and PendingMaxPerInstance= must be more than 0");
        if (settings->in_flight_max_per_instance > IN_FLIGHT_MOST)
                return problem_add(file, PROBLEM_LIMITS,
                                   "InFlightMaxPerInstance= must be at most 65536");
        if (settings->source_prefix_ipv4 > 32 || settings->source_prefix_ipv6 > 128)
                return problem_add(file, PROBLEM_LIMITS,
                                   "SourcePrefixIPv4= must be at most 32 and "
                                   "SourcePrefixIPv6= at most 128");
        return 0;
}

/* A file with an error is left out as a whole: half of it may be the opposite of what was meant. */
static int router_settings_load_file(Config *config, const char *path)
{
        SettingsFile file = { .path = path, .config = config };
        RouterSettings settings = config->router;
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = settings_read_file(&file, &text, &size);

        if (r == -ENOENT)
                return 0;
        if (r < 0 || !text)
                return r;
        r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, router_settings,
                           ELEMENTSOF(router_settings), &settings);
        if (r == 0 && file.n_problems == 0)
                r = router_settings_check(&file, &settings);
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
        for (size_t i = 0; r == 0 && i < folder.n; i++) {
                _cleanup_free_ char *file =
                        text_format("%s/%s" NAME_CONF_SUFFIX, drop_ins, folder.names[i]);

                r = file ? router_settings_load_file(config, file) : -ENOMEM;
        }
        return r;
}
