/* SPDX-License-Identifier: MIT */
/*
 * Owns the list of proxies that are believed. Strict, as whoever is in it may speak in anybody's
 * name.
 */
#include <errno.h>

#include "config/trusted.h"

#define WORD_MAX (INET6_ADDRSTRLEN + sizeof("/128"))

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer)
{
        for (size_t i = 0; i < proxies->n; i++) {
                const struct in6_addr prefix = address_prefix(&peer->ip, proxies->prefixes[i].bits);

                if (IN6_ARE_ADDR_EQUAL(&prefix, &proxies->prefixes[i].ip))
                        return true;
        }
        return false;
}

/* One to three digits, no zero in front. */
static bool parse_bits(Span text, unsigned most, unsigned *ret)
{
        unsigned bits = 0;

        if (text.size == 0 || text.size > 3 || (text.size > 1 && text.data[0] == '0'))
                return false;
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                bits = bits * 10 + (text.data[i] - '0');
        }
        *ret = bits;
        return bits <= most;
}

typedef enum PrefixForm {
        PREFIX_OK,
        PREFIX_INVALID,
        PREFIX_EVERYBODY,
        PREFIX_TOO_LONG, /* has an address below the prefix */
} PrefixForm;

/* bits: of the IPv6 or mapped address. */
static PrefixForm parse_prefix(Span word, Address *ret, unsigned *ret_bits)
{
        const uint8_t *slash = memchr(word.data, '/', word.size);
        const size_t size = slash ? (size_t)(slash - word.data) : word.size;
        const bool v6 = memchr(word.data, ':', size) != NULL;
        const unsigned most = v6 ? 128 : 32;
        struct in6_addr prefix;
        unsigned bits = most;

        if (slash && !parse_bits((Span){ slash + 1, word.size - size - 1 }, most, &bits))
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

static int add_prefix(SettingsFile *file, TrustedProxies *proxies, const char *key, Span word)
{
        const int shown = word.size > WORD_MAX ? (int)WORD_MAX : (int)word.size;
        const char *text = (const char *)word.data;
        char cure[ADDRESS_TEXT_MAX];
        Address address;
        unsigned bits = 0;

        switch (parse_prefix(word, &address, &bits)) {
        case PREFIX_OK:
                break;
        case PREFIX_INVALID:
                return problem_add(file,
                                   "%s=%.*s is no address or prefix; write 192.0.2.7, 192.0.2.0/24 "
                                   "or 2001:db8::/32, no port",
                                   key, shown, text);
        case PREFIX_EVERYBODY:
                return problem_add(file,
                                   "%s=%.*s would believe everybody; write the addresses of your "
                                   "proxies",
                                   key, shown, text);
        case PREFIX_TOO_LONG:
                address_format(&address, cure);
                if (IN6_IS_ADDR_V4MAPPED(&address.ip))
                        bits -= ADDRESS_IPV4_MAPPED_BITS;
                return problem_add(file, "%s=%.*s has more address than its prefix; write %s/%u",
                                   key, shown, text, cure, bits);
        }
        if (proxies->n >= TRUSTED_PROXIES_MAX)
                return problem_add(file, "%s=%.*s is one too many, at most %d; join prefixes", key,
                                   shown, text, TRUSTED_PROXIES_MAX);
        proxies->prefixes[proxies->n].ip = address.ip;
        proxies->prefixes[proxies->n].bits = bits;
        proxies->n++;
        return 0;
}

int setting_parse_trusted_proxies(SettingsFile *file, const char *key, Span value, void *target)
{
        TrustedProxies *proxies = target;
        Span word;
        int r = 0;

        if (value.size == 0)
                proxies->n = 0;
        while (r == 0 && words_next(&value, &word))
                r = add_prefix(file, proxies, key, word);
        return r;
}
