/* SPDX-License-Identifier: MIT */
#include "firewall/resolvers.h"
#include "util/address.h"

static void resolvers_add(Resolvers *resolvers, Span word)
{
        char text[INET6_ADDRSTRLEN];
        Span address = word;

        /* Drops the interface of a link-local address, such as "%eth0". */
        (void)span_take_until(&word, '%', &address);
        if (resolvers->n == RESOLVERS_MAX || address.size >= sizeof(text) ||
            memchr(address.data, 0, address.size))
                return;
        memcpy(text, address.data, address.size);
        text[address.size] = 0;
        if (address_parse_ip(text, !strchr(text, ':'), &resolvers->ips[resolvers->n]))
                resolvers->n++;
}

static void resolvers_parse_line(Resolvers *resolvers, Span line)
{
        Span keyword, address;
        size_t blank = 0;

        while (blank < line.size && !span_is_blank(line.data[blank]))
                blank++;
        if (!span_take(&line, blank, &keyword) || !span_equals(keyword, "nameserver"))
                return;
        address = line = span_trim(line);
        for (address.size = 0; address.size < line.size; address.size++)
                if (span_is_blank(line.data[address.size]))
                        break;
        if (address.size > 0)
                resolvers_add(resolvers, address);
}

void resolvers_parse(Span text, Resolvers *ret)
{
        Span line;

        *ret = (Resolvers){ .n = 0 };
        while (span_take_until(&text, '\n', &line))
                resolvers_parse_line(ret, line);
        resolvers_parse_line(ret, text);
        if (ret->n == 0)
                resolvers_add(ret, span_from_string("127.0.0.1"));
}
