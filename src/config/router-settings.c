/* SPDX-License-Identifier: MIT */
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

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer)
{
        for (size_t i = 0; i < proxies->n; i++) {
                const struct in6_addr prefix = address_prefix(&peer->ip, proxies->prefixes[i].bits);

                if (IN6_ARE_ADDR_EQUAL(&prefix, &proxies->prefixes[i].ip))
                        return true;
        }
        return false;
}

/* Parses an address or prefix of a trusted proxy. Accepts only the usual form, because the router
 * believes what a trusted proxy says about its client. An IPv4 address becomes an IPv4-mapped IPv6
 * address, so for 192.0.2.0/24, *ret_bits is 120. */
static bool router_parse_prefix(Span word, Address *ret, unsigned *ret_bits)
{
        const uint8_t *slash = memchr(word.data, '/', word.size);
        const size_t size = slash ? (size_t)(slash - word.data) : word.size;
        const bool v6 = memchr(word.data, ':', size) != NULL;
        uint64_t bits = v6 ? 128 : 32;

        /* A length with leading zeros is not accepted. */
        if (slash && (!text_number((Span){ slash + 1, word.size - size - 1 }, bits, &bits) ||
                      slash[1] == '0'))
                return false;
        *ret_bits = (unsigned)bits + (v6 ? 0 : ADDRESS_IPV4_MAPPED_BITS);
        return word.data[0] != '[' && address_parse((Span){ word.data, size }, ret) &&
               ret->port == 0;
}

/* Adds a prefix to the TrustedProxies. An empty value removes all earlier prefixes. */
static int router_parse_proxy(SettingsFile *file, Span word, void *target)
{
        TrustedProxies *proxies = target;
        char ip[ADDRESS_TEXT_MAX], meant[ADDRESS_TEXT_MAX + sizeof("/128")];
        Address address, prefix = { .port = 0 };
        unsigned bits;

        if (word.size == 0) {
                proxies->n = 0;
                return 0;
        }
        if (word.size > 2 && memcmp(word.data + word.size - 2, "/0", 2) == 0)
                return problem_value(file, word, NULL,
                                     "would trust everybody; write the addresses of your proxies");
        if (!router_parse_prefix(word, &address, &bits))
                return problem_value(
                        file, word, NULL,
                        "is not an address or prefix; write 192.0.2.7, 192.0.2.0/24 or "
                        "2001:db8::/32, no port");
        prefix.ip = address_prefix(&address.ip, bits);
        if (!IN6_ARE_ADDR_EQUAL(&prefix.ip, &address.ip)) {
                address_format(&prefix, ip);
                if (IN6_IS_ADDR_V4MAPPED(&prefix.ip))
                        bits -= ADDRESS_IPV4_MAPPED_BITS;
                snprintf(meant, sizeof(meant), "%s/%u", ip, bits);
                return problem_value(file, word, meant, "has bits set after the prefix; write %s",
                                     meant);
        }
        if (proxies->n >= TRUSTED_PROXIES_MAX)
                return problem_value(file, word, NULL,
                                     "is more than the limit of %d prefixes; combine some",
                                     TRUSTED_PROXIES_MAX);
        proxies->prefixes[proxies->n++] = (struct TrustedPrefix){ address.ip, bits };
        return 0;
}

#define SETTING(name, parser, field) \
        .key = name, .parse = parser, .offset = offsetof(RouterSettings, field)
#define MORE_THAN_0   .low = 1, .high = UINT64_MAX, .range = "more than 0"
#define AT_MOST(most) .high = most, .range = "at most " #most

static const Setting router_settings[] = {
        { SETTING("SniffTimeoutSec", setting_parse_timespan, sniff_timeout_usec), MORE_THAN_0 },
        /* With a limit below 4K, the router could refuse ordinary browsers, because their TLS
         * ClientHello can be larger. The bytes that the router looks at stay in the connection's
         * receive buffer, which may have no room for more than 1M. */
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
        { SETTING("TrustedProxy", router_parse_proxy, trusted_proxies), .is_list = true },
};

static const SettingsTable router_table = { "Router", router_settings,
                                            ELEMENTSOF(router_settings) };

/* A file with a mistake is ignored completely, because its correct settings alone may do the
 * opposite of what the administrator wants. */
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
