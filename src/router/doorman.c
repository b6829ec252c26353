/* SPDX-License-Identifier: MIT */
/*
 * Owns the answers that need no site. Of what the client sent, only the path comes back, in a
 * Location that the parser has found free of blanks and control characters.
 */
#include "router/doorman.h"
#include "util/cleanup.h"

/* RFC 8555 section 8.3: who proves control of a host by HTTP-01 is asked there, over plain HTTP. */
#define ACME_CHALLENGE "/.well-known/acme-challenge/"

/* What a redirect has beside host and path. */
#define REPLY_OVERHEAD 512

static bool starts_with(Span s, const char *prefix)
{
        return s.size >= strlen(prefix) && memcmp(s.data, prefix, strlen(prefix)) == 0;
}

DoormanVerdict doorman_ask(HttpPolicy policy, const Sniff *request)
{
        if (request->protocol != BELLHOP_PROTOCOL_HTTP)
                return DOORMAN_PASS;
        switch (policy) {
        case HTTP_SERVE:
                return DOORMAN_PASS;
        case HTTP_REFUSE:
                return DOORMAN_REFUSE;
        case HTTP_REDIRECT:
                if (starts_with(request->path, ACME_CHALLENGE))
                        return DOORMAN_PASS;
                if (request->path.size > DOORMAN_REPLY_MAX - REPLY_OVERHEAD)
                        return DOORMAN_TOO_LONG;
                return DOORMAN_REDIRECT;
        }
        return DOORMAN_REFUSE;
}

size_t doorman_redirect(const char *host, const Sniff *request, char ret[static DOORMAN_REPLY_MAX])
{
        /* Other methods must not be turned into GET (RFC 9110 section 15.4.9). */
        const bool read_only =
                span_equals(request->method, "GET") || span_equals(request->method, "HEAD");
        /* "*" and a target without path mean the whole site. */
        const bool has_path = request->path.size > 0 && request->path.data[0] == '/';
        const bool has_query = request->path.size > 0 && request->path.data[0] == '?';
        const int n =
                snprintf(ret, DOORMAN_REPLY_MAX,
                         "HTTP/1.1 %s\r\n"
                         "Location: https://%s%s%.*s\r\n"
                         "Content-Length: 0\r\n"
                         "Connection: close\r\n"
                         "\r\n",
                         read_only ? "301 Moved Permanently" : "308 Permanent Redirect", host,
                         has_path ? "" : "/", has_path || has_query ? (int)request->path.size : 0,
                         (const char *)request->path.data);

        return n < 0 || n >= DOORMAN_REPLY_MAX ? 0 : (size_t)n;
}
