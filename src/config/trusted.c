/* SPDX-License-Identifier: MIT */
/* Strict, since a trusted proxy may name any client. */
#include <stdio.h>

#include "config/settings.h"
#include "util/text.h"

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer)
{
        for (size_t i = 0; i < proxies->n; i++) {
                const struct in6_addr prefix = address_prefix(&peer->ip, proxies->prefixes[i].bits);

                if (IN6_ARE_ADDR_EQUAL(&prefix, &proxies->prefixes[i].ip))
                        return true;
        }
        return false;
}

/* bits: of the IPv6 or mapped address. */
static bool trusted_parse_prefix(Span word, Address *ret, unsigned *ret_bits)
{
        const uint8_t *slash = memchr(word.data, '/', word.size);
        const size_t size = slash ? (size_t)(slash - word.data) : word.size;
        const bool v6 = memchr(word.data, ':', size) != NULL;
        uint64_t bits = v6 ? 128 : 32;

        /* One form for each number: no zero in front. */
        if (slash && (!text_number((Span){ slash + 1, word.size - size - 1 }, bits, &bits) ||
                      slash[1] == '0'))
                return false;
        *ret_bits = (unsigned)bits + (v6 ? 0 : ADDRESS_IPV4_MAPPED_BITS);
        return word.data[0] != '[' && address_parse((Span){ word.data, size }, ret) &&
               ret->port == 0;
}

static int trusted_add_prefix(SettingsFile *file, TrustedProxies *proxies, Span word)
{
        char ip[ADDRESS_TEXT_MAX], meant[ADDRESS_TEXT_MAX + sizeof("/128")];
        Address address, prefix = { .port = 0 };
        unsigned bits;

        if (word.size > 2 && memcmp(word.data + word.size - 2, "/0", 2) == 0)
                return problem_value(file, word, NULL,
                                     "would trust everybody; write the addresses of your proxies");
        if (!trusted_parse_prefix(word, &address, &bits))
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
                return problem_value(file, word, meant,
                                     "has more address than its prefix; write %s", meant);
        }
        if (proxies->n >= TRUSTED_PROXIES_MAX)
                return problem_value(file, word, NULL, "is one too many, at most %d; join prefixes",
                                     TRUSTED_PROXIES_MAX);
        proxies->prefixes[proxies->n].ip = address.ip;
        proxies->prefixes[proxies->n].bits = bits;
        proxies->n++;
        return 0;
}

int setting_parse_trusted_proxies(SettingsFile *file, Span value, void *target)
{
        TrustedProxies *proxies = target;
        Span word;
        int r = 0;

        if (value.size == 0)
                proxies->n = 0;
        while (r == 0 && words_next(&value, &word))
                r = trusted_add_prefix(file, proxies, word);
        return r;
}
