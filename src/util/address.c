/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <stdio.h>

#include "util/address.h"
#include "util/text.h"

void address_format(const Address *address, char ret[static ADDRESS_TEXT_MAX])
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&address->ip);
        char ip[INET6_ADDRSTRLEN], port[sizeof(":65535")] = "";

        inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? &address->ip.s6_addr[12] : address->ip.s6_addr, ip,
                  sizeof(ip));
        if (address->port != 0)
                snprintf(port, sizeof(port), ":%u", address->port);
        snprintf(ret, ADDRESS_TEXT_MAX, !v4 && port[0] ? "[%s]%s" : "%s%s", ip, port);
}

struct in6_addr address_map_ipv4(struct in_addr ip)
{
        struct in6_addr mapped = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

        memcpy(&mapped.s6_addr[12], &ip, sizeof(ip));
        return mapped;
}

bool address_from_sockaddr(const struct sockaddr_storage *sa, Address *ret)
{
        if (sa->ss_family == AF_INET) {
                const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

                *ret = (Address){ .ip = address_map_ipv4(in->sin_addr),
                                  .port = ntohs(in->sin_port) };
                return true;
        }
        if (sa->ss_family == AF_INET6) {
                const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;

                *ret = (Address){ .ip = in6->sin6_addr, .port = ntohs(in6->sin6_port) };
                return true;
        }
        return false;
}

static bool address_of_end(int fd, bool peer, Address *ret)
{
        struct sockaddr_storage sa;
        struct sockaddr *any = (struct sockaddr *)&sa;
        socklen_t size = sizeof(sa);

        return (peer ? getpeername(fd, any, &size) : getsockname(fd, any, &size)) == 0 &&
               address_from_sockaddr(&sa, ret);
}

bool address_local(int fd, Address *ret)
{
        return address_of_end(fd, false, ret);
}

bool address_peer(int fd, Address *ret)
{
        return address_of_end(fd, true, ret);
}

struct in6_addr address_prefix(const struct in6_addr *ip, unsigned bits)
{
        struct in6_addr prefix = { 0 };

        for (size_t i = 0; bits > 0; i++) {
                const unsigned here = bits < 8 ? bits : 8;

                prefix.s6_addr[i] = ip->s6_addr[i] & (uint8_t)(0xff00 >> here);
                bits -= here;
        }
        return prefix;
}

bool address_parse_ip(const char *text, bool v4, struct in6_addr *ret)
{
        struct in_addr ipv4;

        if (!v4)
                return inet_pton(AF_INET6, text, ret) == 1;
        if (inet_pton(AF_INET, text, &ipv4) != 1)
                return false;
        *ret = address_map_ipv4(ipv4);
        return true;
}

bool address_parse(Span in, Address *ret)
{
        char text[INET6_ADDRSTRLEN + sizeof("[]:65535")];
        Address address = { .port = 0 };
        char *ip = text, *colon;
        uint64_t port = 0;
        bool v6;

        if (in.size >= sizeof(text) || memchr(in.data, 0, in.size))
                return false;
        memcpy(text, in.data, in.size);
        text[in.size] = 0;

        v6 = text[0] == '[' || strchr(text, ':') != strrchr(text, ':');
        if (text[0] == '[') {
                char *bracket = strchr(text, ']');

                if (!bracket || (bracket[1] != 0 && bracket[1] != ':'))
                        return false;
                colon = bracket[1] == ':' ? bracket + 1 : NULL;
                *bracket = 0;
                ip = text + 1;
        } else {
                colon = v6 ? NULL : strchr(text, ':');
                if (colon)
                        *colon = 0;
        }
        if (colon &&
            (colon[1] == '0' || !text_number(span_from_string(colon + 1), UINT16_MAX, &port)))
                return false;
        if (!address_parse_ip(ip, !v6, &address.ip) || IN6_IS_ADDR_UNSPECIFIED(&address.ip) ||
            (IN6_IS_ADDR_V4MAPPED(&address.ip) && address.ip.s6_addr32[3] == INADDR_ANY))
                return false;
        address.port = (uint16_t)port;
        *ret = address;
        return true;
}
