/* SPDX-License-Identifier: MIT */
/* This parser must never be more lenient than Apache with its default "HttpProtocolOptions Strict",
 * and must never find another host than Apache. Input that this parser and Apache could read
 * differently is malformed. The parser uses no header field except Host. */
#include <strings.h>

#include "sniff/reader.h"
#include "util/text.h"

/* The largest number of empty lines before the request line. RFC 9112 section 2.2 requires servers
 * to accept one; Apache accepts ten. */
#define EMPTY_LINES_MAX 10

enum {
        TOKEN = 1 << 0,  /* RFC 9110 section 5.6.2 */
        TARGET = 1 << 1, /* request target: no CTL, no space, and no '#', because clients don't send
                            fragments */
        VALUE = 1 << 2,  /* field value, RFC 9110 section 5.5 */
        HOST = 1 << 3,   /* host with port: less than RFC 3986 allows, but everything that Apache
                            accepts */
};

#define PLAIN (TARGET | VALUE)

static const uint8_t classes[256] = {
        ['\t'] = VALUE,
        [' '] = VALUE,
        ['!'] = PLAIN | TOKEN,
        ['"'] = PLAIN,
        ['#'] = VALUE | TOKEN,
        ['$' ... '\''] = PLAIN | TOKEN,
        ['(' ... ')'] = PLAIN,
        ['*' ... '+'] = PLAIN | TOKEN,
        [','] = PLAIN,
        ['-' ... '.'] = PLAIN | TOKEN | HOST,
        ['/'] = PLAIN,
        ['0' ... '9'] = PLAIN | TOKEN | HOST,
        [':'] = PLAIN | HOST,
        [';' ... '@'] = PLAIN,
        ['A' ... 'Z'] = PLAIN | TOKEN | HOST,
        ['['] = PLAIN | HOST,
        ['\\'] = PLAIN,
        [']'] = PLAIN | HOST,
        ['^'] = PLAIN | TOKEN,
        ['_'] = PLAIN | TOKEN | HOST,
        ['`'] = PLAIN | TOKEN,
        ['a' ... 'z'] = PLAIN | TOKEN | HOST,
        ['{'] = PLAIN,
        ['|'] = PLAIN | TOKEN,
        ['}'] = PLAIN,
        ['~'] = PLAIN | TOKEN,
        [0x80 ... 0xff] = PLAIN,
};

typedef struct Head {
        Reader in;
        bool host_demanded; /* the version of HTTP requires a host */
        bool host_seen;     /* there is a Host field, which may be empty */
        Span host;          /* the value of the Host field */
        Span target_host;   /* the host in the request target, if there is one */
        bool target_is_https;
        Span method;
        Span path; /* path and query */
} Head;

/* Takes all bytes of this class from the front. Stops if no other byte follows them, because more
 * bytes of this class may still arrive. */
static bool http_take(Head *h, uint8_t class, Span *ret)
{
        size_t n = 0;

        while (n < h->in.rest.size && (classes[h->in.rest.data[n]] & class) != 0)
                n++;
        if (n == h->in.rest.size || !span_take(&h->in.rest, n, ret))
                return reader_stop(&h->in, SNIFF_MORE);
        return true;
}

static bool http_equals(Span a, Span b)
{
        return a.size == b.size &&
               strncasecmp((const char *)a.data, (const char *)b.data, a.size) == 0;
}

static bool http_is_word(Span s, const char *word)
{
        return http_equals(s, span_from_string(word));
}

/* Removes a prefix from the front, ignoring case. */
static bool http_take_word(Span *s, const char *word)
{
        Span rest = *s, taken;

        if (!span_take(&rest, strlen(word), &taken) || !http_is_word(taken, word))
                return false;
        *s = rest;
        return true;
}

static bool http_is_host(Span s)
{
        for (size_t i = 0; i < s.size; i++)
                if ((classes[s.data[i]] & HOST) == 0)
                        return false;
        return s.size <= SNIFF_HOST_MAX;
}

/* RFC 9110 section 4.2.1: an empty host is invalid. '@' is not of class HOST: a user name before
 * the host may be a phishing attempt (section 4.2.4), and parsers disagree about "a@b". */
static bool http_is_authority(Span s)
{
        return s.size > 0 && s.data[0] != ':' && http_is_host(s);
}

/* Whether a target in authority-form has a port, which RFC 9112 section 3.2.3 requires. */
static bool http_has_port(Span s)
{
        size_t n_digits = 0;

        while (n_digits < s.size && text_is_digit(s.data[s.size - 1 - n_digits]))
                n_digits++;
        return n_digits > 0 && n_digits < s.size && s.data[s.size - 1 - n_digits] == ':';
}

/* Checks a request target: RFC 9112 section 3.2. */
static bool http_check_target(Head *h, Span method, Span target)
{
        if (span_equals(method, "CONNECT")) {
                h->target_host = target;
                return reader_check(&h->in, http_is_authority(target) && http_has_port(target));
        }
        h->path = target;
        if (target.size > 0 && target.data[0] == '/')
                return true;
        if (span_equals(target, "*"))
                return reader_check(&h->in, span_equals(method, "OPTIONS"));
        /* Requests with schemes other than http and https are for proxies. They are malformed here,
         * although Apache would serve them, with the host of the Host field. */
        h->target_is_https = http_take_word(&target, "https://");
        if (!h->target_is_https && !http_take_word(&target, "http://"))
                return reader_stop(&h->in, SNIFF_MALFORMED);
        h->target_host = (Span){ .data = target.data };
        while (h->target_host.size < target.size && target.data[h->target_host.size] != '/' &&
               target.data[h->target_host.size] != '?')
                h->target_host.size++;
        h->path = (Span){ .data = target.data + h->target_host.size,
                          .size = target.size - h->target_host.size };
        return reader_check(&h->in, http_is_authority(h->target_host));
}

static bool http_skip_empty_lines(Head *h)
{
        for (size_t n = 0; h->in.rest.size > 0 && h->in.rest.data[0] == '\r'; n++) {
                if (n == EMPTY_LINES_MAX)
                        return reader_stop(&h->in, SNIFF_MALFORMED);
                if (!reader_expect_text(&h->in, "\r\n"))
                        return false;
        }
        return true;
}

static bool http_take_request_line(Head *h)
{
        Span target, minor;

        if (!http_take(h, TARGET, &target) || !reader_expect_text(&h->in, " ") ||
            !http_check_target(h, h->method, target) || !reader_expect_text(&h->in, "HTTP/1."))
                return false;
        if (!span_take(&h->in.rest, 1, &minor))
                return reader_stop(&h->in, SNIFF_MORE);
        h->host_demanded = minor.data[0] == '1';
        return reader_check(&h->in, h->host_demanded || minor.data[0] == '0') &&
               reader_expect_text(&h->in, "\r\n");
}

static bool http_take_host(Head *h, Span value)
{
        /* RFC 9112 section 3.2: a second Host field gets 400. Apache joins the two with a comma;
         * other servers use one of them. */
        if (h->host_seen)
                return reader_stop(&h->in, SNIFF_MALFORMED);
        h->host_seen = true;
        h->host = span_trim(value);
        return reader_check(&h->in, http_is_host(h->host));
}

static bool http_take_fields(Head *h)
{
        Span name, value;

        for (;;) {
                if (!http_take(h, TOKEN, &name))
                        return false;
                /* A line without a field name must be the empty line that ends the head. Anything
                 * else is malformed, including a line that continues the previous field (obs-fold,
                 * RFC 9112 section 5.2): there, one parser may find a Host field, and another none.
                 */
                if (name.size == 0)
                        return reader_expect_text(&h->in, "\r\n");
                if (!reader_expect_text(&h->in, ":") || !http_take(h, VALUE, &value) ||
                    !reader_expect_text(&h->in, "\r\n"))
                        return false;
                if (http_is_word(name, "Host") && !http_take_host(h, value))
                        return false;
        }
}

static bool http_parse(Head *h)
{
        if (!http_skip_empty_lines(h) || !http_take(h, TOKEN, &h->method) ||
            !reader_check(&h->in, h->method.size > 0) || !reader_expect_text(&h->in, " "))
                return false;
        /* Without TLS, HTTP/2 begins with a preface that looks like a request with the method PRI
         * (RFC 9113 section 3.4). The host comes later, compressed by HPACK, so the router can only
         * answer that a host is missing. */
        if (span_equals(h->method, "PRI")) {
                h->host_demanded = true;
                return reader_expect_text(&h->in, "* HTTP/2.0\r\n\r\n");
        }
        /* RFC 9112 section 3.2.2 lets the host in the target override the Host field. Apache does
         * this only if the target has the scheme of the connection, which is http here. For an
         * https target, Apache uses the field, so the two hosts must be equal. Honest clients send
         * the same host in both. */
        return http_take_request_line(h) && http_take_fields(h) &&
               reader_check(&h->in, !h->target_is_https || http_equals(h->target_host, h->host));
}

/* The least number of bytes that must follow before the input can end with an empty line. */
static size_t http_to_empty_line(Span in)
{
        const char *end = "\r\n\r\n";
        size_t n = strlen(end) - 1;

        while (n > 0 && (in.size < n || memcmp(in.data + in.size - n, end, n) != 0))
                n--;
        return strlen(end) - n;
}

Sniff sniff_http(Span in)
{
        Sniff s = {};
        Head h = { .in.rest = in };
        Span host;

        if (in.size > 0 &&
            ((classes[in.data[0]] & TOKEN) != 0 || in.data[0] == '\r' || in.data[0] == '\n'))
                s.protocol = BELLHOP_PROTOCOL_HTTP;
        if (!http_parse(&h)) {
                s.outcome = h.in.verdict;
                if (s.outcome == SNIFF_MORE)
                        s.need_bytes = in.size + http_to_empty_line(in);
                return s;
        }
        /* RFC 9112 section 3.2: the host in the target overrides the Host field, but HTTP/1.1 still
         * requires the field. */
        host = h.target_host.size > 0 ? h.target_host : h.host;
        if (host.size == 0 || (h.host_demanded && !h.host_seen)) {
                s.outcome = SNIFF_NO_HOST;
                s.host_required = h.host_demanded;
                return s;
        }
        s.outcome = SNIFF_HOST;
        s.host_length = host.size;
        memcpy(s.host, host.data, host.size);
        s.method = h.method;
        s.path = h.path;
        return s;
}
