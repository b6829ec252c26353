/* SPDX-License-Identifier: MIT */
/* This parser follows "The PROXY protocol, versions 1 & 2" of HAProxy, but is stricter: a header is
 * malformed if another receiver could find its end elsewhere. TLVs are skipped. */
#include <arpa/inet.h>

#include "sniff/reader.h"
#include "util/text.h"

/* Section 2.1: the sizes of the longest line, with CR LF, and of the shortest line, "PROXY
 * UNKNOWN\r\n". */
#define V1_SIZE_MAX 107
#define V1_SIZE_MIN 15

/* Section 2.2: the size of the header without the addresses of both ends. */
#define V2_SIZE_MIN 16

enum {
        V2_LOCAL = 0x20,
        V2_PROXY = 0x21,
        V2_UNSPEC = 0x00,
        V2_TCP4 = 0x11,
        V2_TCP6 = 0x21,
};

static const uint8_t v2_signature[] = {
        '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n',
};

static SniffProxy proxy_stopped(const Reader *reader, size_t need_bytes)
{
        if (reader->verdict == SNIFF_MALFORMED)
                return (SniffProxy){ .outcome = SNIFF_PROXY_MALFORMED };
        return (SniffProxy){ .outcome = SNIFF_PROXY_MORE, .need_bytes = need_bytes };
}

/* Takes a word of 1 to max bytes that are all in `letters`, and the byte `end` after the word. */
static bool proxy_take_word(Reader *reader, const char *letters, uint8_t end, size_t max, char *ret)
{
        for (size_t i = 0; i < reader->rest.size; i++) {
                const uint8_t c = reader->rest.data[i];

                if (c == end && i > 0) {
                        memcpy(ret, reader->rest.data, i);
                        ret[i] = 0;
                        reader->rest.data += i + 1;
                        reader->rest.size -= i + 1;
                        return true;
                }
                if (i >= max || c == 0 || !strchr(letters, c))
                        return reader_stop(reader, SNIFF_MALFORMED);
        }
        return reader_stop(reader, SNIFF_MORE);
}

#define DIGITS "0123456789"

static bool proxy_take_ip(Reader *reader, bool v4, struct in6_addr *ret)
{
        char text[INET6_ADDRSTRLEN];

        if (!proxy_take_word(reader, v4 ? DIGITS "." : DIGITS "abcdefABCDEF:.", ' ',
                             (v4 ? INET_ADDRSTRLEN : INET6_ADDRSTRLEN) - 1, text))
                return false;
        return reader_check(reader, address_parse_ip(text, v4, ret));
}

static bool proxy_take_port(Reader *reader, uint8_t end, uint16_t *ret)
{
        char text[sizeof("65535")];
        uint64_t port = 0;

        if (!proxy_take_word(reader, DIGITS, end, sizeof(text) - 1, text))
                return false;
        if (!text_number(span_from_string(text), UINT16_MAX, &port) ||
            (text[0] == '0' && text[1] != 0))
                return reader_stop(reader, SNIFF_MALFORMED);
        *ret = (uint16_t)port;
        return true;
}

/* Takes "TCP4 SOURCE DESTINATION PORT PORT\r\n". */
static bool proxy_take_tcp(Reader *reader, Address *ret)
{
        struct in6_addr destination;
        uint16_t destination_port;
        bool v4;

        if (!reader_expect_text(reader, "TCP"))
                return false;
        v4 = reader->rest.size > 0 && reader->rest.data[0] == '4';
        return reader_expect_text(reader, v4 ? "4 " : "6 ") &&
               proxy_take_ip(reader, v4, &ret->ip) && proxy_take_ip(reader, v4, &destination) &&
               proxy_take_port(reader, ' ', &ret->port) &&
               proxy_take_port(reader, '\r', &destination_port) && reader_expect_text(reader, "\n");
}

/* Takes "UNKNOWN\r\n". Any text can precede the line end, but no control characters: some receivers
 * treat a bare LF as the end of the header, and would see a request in the rest of the text. */
static bool proxy_take_unknown(Reader *reader)
{
        uint32_t c;

        if (!reader_expect_text(reader, "UNKNOWN"))
                return false;
        if (reader->rest.size > 0 && reader->rest.data[0] != ' ' && reader->rest.data[0] != '\r')
                return reader_stop(reader, SNIFF_MALFORMED);
        while (span_take_uint(&reader->rest, 1, &c)) {
                if (c == '\r')
                        return reader_expect_text(reader, "\n");
                if (c < ' ' || c > '~')
                        return reader_stop(reader, SNIFF_MALFORMED);
        }
        return reader_stop(reader, SNIFF_MORE);
}

static SniffProxy proxy_v1(Span in)
{
        const size_t size = in.size < V1_SIZE_MAX ? in.size : V1_SIZE_MAX;
        size_t need_bytes = size + (in.data[size - 1] == '\r' ? 1 : 2);
        Reader reader = { .rest = { in.data, size } };
        SniffProxy proxy = { .outcome = SNIFF_PROXY_SOURCE };
        bool complete = reader_expect_text(&reader, "PROXY ");

        if (complete && reader.rest.size > 0 && reader.rest.data[0] == 'U') {
                proxy.outcome = SNIFF_PROXY_NO_SOURCE;
                complete = proxy_take_unknown(&reader);
        } else if (complete) {
                complete = proxy_take_tcp(&reader, &proxy.source);
        }
        proxy.size = size - reader.rest.size;
        if (complete)
                return proxy;
        if (need_bytes > V1_SIZE_MAX)
                reader.verdict = SNIFF_MALFORMED;
        return proxy_stopped(&reader, need_bytes < V1_SIZE_MIN ? V1_SIZE_MIN : need_bytes);
}

static Address proxy_source(Span addresses, size_t ip_bytes)
{
        const uint8_t *port = addresses.data + 2 * ip_bytes;
        Address source = { .port = (uint16_t)(port[0] << 8 | port[1]) };
        struct in_addr ipv4;

        if (ip_bytes == sizeof(ipv4)) {
                memcpy(&ipv4, addresses.data, sizeof(ipv4));
                source.ip = address_map_ipv4(ipv4);
        } else {
                memcpy(&source.ip, addresses.data, sizeof(source.ip));
        }
        return source;
}

static SniffProxy proxy_v2(Span in)
{
        size_t ip_bytes = 0, need_bytes = V2_SIZE_MIN;
        Reader reader = { .rest = in };
        uint32_t command, family, size;
        Span body;

        if (!reader_expect(&reader, v2_signature, sizeof(v2_signature)) ||
            !span_take_uint(&reader.rest, 1, &command) ||
            !reader_check(&reader, command == V2_LOCAL || command == V2_PROXY) ||
            !span_take_uint(&reader.rest, 1, &family))
                return proxy_stopped(&reader, need_bytes);
        /* With LOCAL, the family has no meaning. */
        if (command == V2_PROXY && family != V2_UNSPEC)
                ip_bytes = family == V2_TCP4 ? sizeof(struct in_addr) : sizeof(struct in6_addr);
        if (!reader_check(&reader, ip_bytes == 0 || family == V2_TCP4 || family == V2_TCP6) ||
            !span_take_uint(&reader.rest, 2, &size) ||
            !reader_check(&reader, ip_bytes == 0 || size >= 2 * (ip_bytes + sizeof(uint16_t))))
                return proxy_stopped(&reader, need_bytes);
        need_bytes += size;
        if (!span_take(&reader.rest, size, &body))
                return proxy_stopped(&reader, need_bytes);
        if (ip_bytes == 0)
                return (SniffProxy){ .outcome = SNIFF_PROXY_NO_SOURCE, .size = need_bytes };
        return (SniffProxy){ .outcome = SNIFF_PROXY_SOURCE,
                             .size = need_bytes,
                             .source = proxy_source(body, ip_bytes) };
}

SniffProxy sniff_proxy(Span in)
{
        if (in.size == 0)
                return (SniffProxy){ .outcome = SNIFF_PROXY_MORE, .need_bytes = V1_SIZE_MIN };
        return in.data[0] == v2_signature[0] ? proxy_v2(in) : proxy_v1(in);
}
