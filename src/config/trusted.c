/* SPDX-License-Identifier: MIT */
/* Strict, since a trusted proxy may name any client. */
#include <stdio.h>

#include "config/trusted.h"
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

/* One form for each number: no zero in front. */
static bool trusted_parse_bits(Span text, unsigned most, unsigned *ret)
{
        uint64_t bits;

        if (!text_number(text, most, &bits) || (text.size > 1 && text.data[0] == '0'))
                return false;
        *ret = (unsigned)bits;
        return true;
}

typedef enum PrefixForm {
        PREFIX_OK,
        PREFIX_INVALID,
        PREFIX_EVERYBODY,
        PREFIX_TOO_LONG, /* has an address below the prefix */
} PrefixForm;

/* bits: of the IPv6 or mapped address. */
static PrefixForm trusted_parse_prefix(Span word, Address *ret, unsigned *ret_bits)
{
        const uint8_t *slash = memchr(word.data, '/', word.size);
        const size_t size = slash ? (size_t)(slash - word.data) : word.size;
        const bool v6 = memchr(word.data, ':', size) != NULL;
        const unsigned most = v6 ? 128 : 32;
        struct in6_addr prefix;
        unsigned bits = most;

        if (slash && !trusted_parse_bits((Span){ slash + 1, word.size - size - 1 }, most, &bits))
                return PREFIX_INVALID;
        if (bits == 0)
                return PREFIX_EVERYBODY;
        if (word.data[0] == '[' || !address_parse((Span){ word.data, size }, ret) || ret->port != 0)
                return PREFIX_INVALID;
        *ret_bits = v6 ? bits : ADDRESS_IPV4_MAPPED_BITS + bits;
        prefix = address_prefix(&ret->ip, *ret_bits);
        if (IN6_ARE_ADDR_EQUAL(&prefix, &ret->ip))
                return PREFIX_OK;
        ret->ip = prefix;
        return PREFIX_TOO_LONG;
}

static int trusted_add_prefix(SettingsFile *file, TrustedProxies *proxies, Span word)
{
        char ip[ADDRESS_TEXT_MAX], meant[ADDRESS_TEXT_MAX + sizeof("/128")];
        Address address;
        unsigned bits = 0;

        switch (trusted_parse_prefix(word, &address, &bits)) {
        case PREFIX_OK:
                break;
        case PREFIX_INVALID:
                return problem_value(
                        file, word, NULL,
                        "is not an address or prefix; write 192.0.2.7, 192.0.2.0/24 or "
                        "2001:db8::/32, no port");
        case PREFIX_EVERYBODY:
                return problem_value(file, word, NULL,
                                     "would trust everybody; write the addresses of your proxies");
        case PREFIX_TOO_LONG:
                address_format(&address, ip);
                if (IN6_IS_ADDR_V4MAPPED(&address.ip))
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
        while (r == 0 && words_next(&value, &word)) {
                file->word = word;
                r = trusted_add_prefix(file, proxies, word);
                file->word = (Span){ .size = 0 };
        }
        return r;
}
