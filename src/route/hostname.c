/* SPDX-License-Identifier: MIT */
#include "route/hostname.h"
#include "util/text.h"

#define LABEL_MAX 63

/* Does not use tolower(3), because the result must not depend on the locale. */
static bool hostname_fold(uint8_t c, char *ret)
{
        if (c >= 'A' && c <= 'Z')
                *ret = (char)(c - 'A' + 'a');
        else if ((c >= 'a' && c <= 'z') || text_is_digit(c) || c == '-' || c == '_' || c == '.')
                *ret = (char)c;
        else
                return false;
        return true;
}

static bool hostname_has_valid_labels(const char *name)
{
        for (;;) {
                const size_t size = strcspn(name, ".");

                if (size == 0 || size > LABEL_MAX || name[0] == '-' || name[size - 1] == '-')
                        return false;
                if (name[size] == 0)
                        return true;
                name += size + 1;
        }
}

/* No top-level domain consists only of digits. If the last label of a name does, resolvers treat
 * the name as an IPv4 address ("127.1", "2130706433"): see "ends in a number" in the URL standard.
 */
static bool hostname_ends_in_number(const char *name, size_t length)
{
        while (length > 0 && text_is_digit((uint8_t)name[length - 1]))
                length--;
        return length == 0 || name[length - 1] == '.';
}

HostnameResult hostname_parse(Span in, Hostname *ret)
{
        Hostname hostname;

        if (in.size == 0)
                return HOSTNAME_EMPTY;
        /* No host contains colons or brackets, so the input is an IPv6 address. */
        if (in.data[0] == '[' || memchr(in.data, ':', in.size))
                return HOSTNAME_ADDRESS;
        if (in.data[in.size - 1] == '.')
                in.size--;
        if (in.size == 0 || in.size > HOSTNAME_MAX)
                return HOSTNAME_INVALID;

        for (size_t i = 0; i < in.size; i++)
                if (!hostname_fold(in.data[i], &hostname.name[i]))
                        return HOSTNAME_INVALID;
        hostname.name[in.size] = 0;
        hostname.length = in.size;

        if (!hostname_has_valid_labels(hostname.name))
                return HOSTNAME_INVALID;
        if (hostname_ends_in_number(hostname.name, hostname.length))
                return HOSTNAME_ADDRESS;
        memcpy(ret->name, hostname.name, hostname.length + 1);
        ret->length = hostname.length;
        return HOSTNAME_OK;
}

HostnameResult hostname_parse_with_port(Span in, Hostname *ret)
{
        /* Only an address in brackets can contain colons; any other colon begins the port. */
        const uint8_t *colon =
                in.size > 0 && in.data[0] != '[' ? memchr(in.data, ':', in.size) : NULL;

        if (colon) {
                const size_t size = (size_t)(colon - in.data);
                uint64_t port;

                /* RFC 3986 section 3.2.3 allows a colon without a port, but Apache refuses it. With
                 * "HttpProtocolOptions Unsafe", Apache takes the colon as a part of the name, so
                 * Apache and the router would find different hosts. */
                if (!text_number((Span){ colon + 1, in.size - size - 1 }, UINT16_MAX, &port))
                        return HOSTNAME_INVALID;
                in.size = size;
        }
        return hostname_parse(in, ret);
}
