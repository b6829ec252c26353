/* SPDX-License-Identifier: MIT */
/*
 * Owns the form of PROXY headers, as "The PROXY protocol, versions 1 & 2" of HAProxy describes it.
 * Stricter than a receiver must be: where another one could see the end of the header elsewhere, it
 * is malformed. TLVs of version 2 are skipped, not looked at.
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "sniff/sniff-proxy.h"

/* Section 2.1: the longest line, with CR LF; and the shortest, "PROXY UNKNOWN\r\n". */
#define V1_SIZE_MAX 107
#define V1_SIZE_MIN 15

/* Section 2.2: the header before the addresses, and the addresses of both ends. */
#define V2_SIZE_MIN   16
#define V2_TCP4_BYTES 12
#define V2_TCP6_BYTES 36

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

typedef enum Step {
        STEP_DONE,
        STEP_MORE,
        STEP_WRONG,
} Step;

static SniffProxy malformed(void)
{
        return (SniffProxy){ .outcome = SNIFF_PROXY_MALFORMED };
}

static Step take_bytes(Span *rest, const void *bytes, size_t size)
{
        const size_t here = rest->size < size ? rest->size : size;
        Span taken;

        if (here > 0 && memcmp(rest->data, bytes, here) != 0)
                return STEP_WRONG;
        return span_take(rest, size, &taken) ? STEP_DONE : STEP_MORE;
}

static Step take_text(Span *rest, const char *text)
{
        return take_bytes(rest, text, strlen(text));
}

/* A word of 1 to max of these letters, and the byte that ends it. */
static Step take_word(Span *rest, const char *letters, uint8_t end, size_t max, char *ret)
{
        for (size_t i = 0; i < rest->size; i++) {
                const uint8_t c = rest->data[i];

                if (c == end && i > 0) {
                        memcpy(ret, rest->data, i);
                        ret[i] = 0;
                        *rest = (Span){ .data = rest->data + i + 1, .size = rest->size - i - 1 };
                        return STEP_DONE;
                }
                if (i >= max || c == 0 || !strchr(letters, c))
                        return STEP_WRONG;
        }
        return STEP_MORE;
}

#define DIGITS "0123456789"

static Step take_ip(Span *rest, int family, struct in6_addr *ret)
{
        const bool v4 = family == AF_INET;
        char text[INET6_ADDRSTRLEN];
        struct in_addr ipv4;
        const Step step = take_word(rest, v4 ? DIGITS "." : DIGITS "abcdefABCDEF:.", ' ',
                                    (v4 ? INET_ADDRSTRLEN : INET6_ADDRSTRLEN) - 1, text);

        if (step != STEP_DONE)
                return step;
        if (inet_pton(family, text, v4 ? (void *)&ipv4 : ret) != 1)
                return STEP_WRONG;
        if (v4)
                *ret = address_map_ipv4(ipv4);
        return STEP_DONE;
}

static Step take_port(Span *rest, uint8_t end, uint16_t *ret)
{
        char text[sizeof("65535")];
        const Step step = take_word(rest, DIGITS, end, sizeof(text) - 1, text);
        unsigned long port;

        if (step != STEP_DONE)
                return step;
        port = strtoul(text, NULL, 10);
        if (port > UINT16_MAX || (text[0] == '0' && text[1] != 0))
                return STEP_WRONG;
        *ret = (uint16_t)port;
        return STEP_DONE;
}

/* "TCP4 SOURCE DESTINATION PORT PORT\r\n" */
static Step take_tcp(Span *rest, Address *ret)
{
        struct in6_addr destination;
        uint16_t destination_port;
        Step step = take_text(rest, "TCP");
        int family;

        if (step != STEP_DONE || rest->size == 0)
                return step == STEP_DONE ? STEP_MORE : step;
        family = rest->data[0] == '4' ? AF_INET : AF_INET6;
        step = take_text(rest, family == AF_INET ? "4 " : "6 ");
        if (step == STEP_DONE)
                step = take_ip(rest, family, &ret->ip);
        if (step == STEP_DONE)
                step = take_ip(rest, family, &destination);
        if (step == STEP_DONE)
                step = take_port(rest, ' ', &ret->port);
        if (step == STEP_DONE)
                step = take_port(rest, '\r', &destination_port);
        return step == STEP_DONE ? take_text(rest, "\n") : step;
}

/* "UNKNOWN\r\n", or with anything before the end of the line. No control characters: some take a
 * bare LF for the end, and would see another request than we. */
static Step take_unknown(Span *rest)
{
        Step step = take_text(rest, "UNKNOWN");

        if (step != STEP_DONE || rest->size == 0)
                return step == STEP_DONE ? STEP_MORE : step;
        if (rest->data[0] != ' ' && rest->data[0] != '\r')
                return STEP_WRONG;
        for (size_t i = 0; i < rest->size; i++) {
                const uint8_t c = rest->data[i];

                if (c == '\r') {
                        *rest = (Span){ .data = rest->data + i + 1, .size = rest->size - i - 1 };
                        return take_text(rest, "\n");
                }
                if (c < ' ' || c > '~')
                        return STEP_WRONG;
        }
        return STEP_MORE;
}

static SniffProxy sniff_v1(Span in)
{
        Span rest = { .data = in.data, .size = in.size < V1_SIZE_MAX ? in.size : V1_SIZE_MAX };
        const size_t whole = rest.size;
        SniffProxy proxy = { .outcome = SNIFF_PROXY_NO_SOURCE };
        Step step = take_text(&rest, "PROXY ");

        if (step == STEP_DONE && rest.size == 0)
                step = STEP_MORE;
        if (step == STEP_DONE && rest.data[0] == 'U') {
                step = take_unknown(&rest);
        } else if (step == STEP_DONE) {
                proxy.outcome = SNIFF_PROXY_SOURCE;
                step = take_tcp(&rest, &proxy.source);
        }
        switch (step) {
        case STEP_DONE:
                proxy.size = whole - rest.size;
                return proxy;
        case STEP_MORE:
                proxy = (SniffProxy){ .outcome = SNIFF_PROXY_MORE };
                proxy.need_bytes = whole + (in.data[whole - 1] == '\r' ? 1 : 2);
                if (proxy.need_bytes < V1_SIZE_MIN)
                        proxy.need_bytes = V1_SIZE_MIN;
                return proxy.need_bytes > V1_SIZE_MAX ? malformed() : proxy;
        case STEP_WRONG:
                break;
        }
        return malformed();
}

/* How many bytes of addresses there must be. False when the family is not for TCP. With LOCAL it
 * has no meaning. */
static bool v2_address_bytes(uint8_t command, uint8_t family, size_t *ret)
{
        *ret = 0;
        if (command == V2_LOCAL || family == V2_UNSPEC)
                return true;
        *ret = family == V2_TCP4 ? V2_TCP4_BYTES : V2_TCP6_BYTES;
        return family == V2_TCP4 || family == V2_TCP6;
}

static Address v2_source(Span addresses, uint8_t family)
{
        Address source = { .port = 0 };
        struct in_addr ipv4;
        size_t at_port;

        if (family == V2_TCP4) {
                memcpy(&ipv4, addresses.data, sizeof(ipv4));
                source.ip = address_map_ipv4(ipv4);
                at_port = 2 * sizeof(ipv4);
        } else {
                memcpy(&source.ip, addresses.data, sizeof(source.ip));
                at_port = 2 * sizeof(source.ip);
        }
        source.port = (uint16_t)(addresses.data[at_port] << 8 | addresses.data[at_port + 1]);
        return source;
}

static SniffProxy sniff_v2(Span in)
{
        SniffProxy proxy = { .outcome = SNIFF_PROXY_MORE, .need_bytes = V2_SIZE_MIN };
        size_t address_bytes = 0;
        Span rest = in, body;
        uint32_t command, family, size;
        const Step step = take_bytes(&rest, v2_signature, sizeof(v2_signature));

        if (step != STEP_DONE || !span_take_uint(&rest, 1, &command))
                return step == STEP_WRONG ? malformed() : proxy;
        if (command != V2_LOCAL && command != V2_PROXY)
                return malformed();
        if (!span_take_uint(&rest, 1, &family))
                return proxy;
        if (!v2_address_bytes((uint8_t)command, (uint8_t)family, &address_bytes))
                return malformed();
        if (!span_take_uint(&rest, 2, &size))
                return proxy;
        if (size < address_bytes)
                return malformed();
        proxy.need_bytes = V2_SIZE_MIN + size;
        if (!span_take(&rest, size, &body))
                return proxy;
        proxy = (SniffProxy){ .outcome = SNIFF_PROXY_NO_SOURCE, .size = V2_SIZE_MIN + size };
        if (address_bytes > 0) {
                proxy.outcome = SNIFF_PROXY_SOURCE;
                proxy.source = v2_source(body, (uint8_t)family);
        }
        return proxy;
}

SniffProxy sniff_proxy(Span in)
{
        if (in.size == 0)
                return (SniffProxy){ .outcome = SNIFF_PROXY_MORE, .need_bytes = V1_SIZE_MIN };
        return in.data[0] == v2_signature[0] ? sniff_v2(in) : sniff_v1(in);
}
