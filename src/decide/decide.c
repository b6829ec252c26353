/* SPDX-License-Identifier: MIT */
/* A redirect repeats only two parts of the request, both in its Location: the host in canonical
 * form, and the path, which has no blanks or control characters. So a client can't add header
 * fields to the redirect. */
#include "decide/decide.h"
#include "util/cleanup.h"

/* The room in a redirect for everything except the path. */
#define REDIRECT_OVERHEAD 512

static void decide_refuse(RefuseReason reason, Decision *ret)
{
        ret->kind = DECISION_REFUSE;
        ret->refuse = reason;
}

static void decide_default(const Config *config, RefuseReason otherwise, Decision *ret)
{
        if (config->default_instance == ROUTE_NONE) {
                decide_refuse(otherwise, ret);
                return;
        }
        ret->instance = config->default_instance;
        ret->reason = BELLHOP_REASON_DEFAULT;
}

bool decide_address(const Config *config, const Address *local, Decision *ret)
{
        const HostMapMatch match = hostmap_find_address(config->map, local);

        if (match.instance == ROUTE_NONE)
                return false;
        *ret = (Decision){ .instance = match.instance,
                           .reason = BELLHOP_REASON_ADDRESS,
                           .route = match.route };
        return true;
}

/* Notes whether the client may be an authority that checks a challenge. A path with a query or with
 * escapes has no valid token. */
static void decide_challenge(const Config *config, const Question *question, Decision *ret)
{
        const Instance *instance = &config->instances[ret->instance];
        Span token;

        if (instance->tls != TLS_ACME || instance->is_suspended)
                return;
        if (question->protocol == BELLHOP_PROTOCOL_TLS) {
                ret->challenge = question->offers_acme ? CHALLENGE_TLS : CHALLENGE_NONE;
        } else if ((span_equals(question->method, "GET") ||
                    span_equals(question->method, "HEAD")) &&
                   challenge_find_token(question->path, &token)) {
                ret->challenge = CHALLENGE_HTTP;
                ret->token = token;
        }
}

/* Decides whether the router itself answers a request over plain HTTP, with a redirect or a
 * refusal. Challenges go to the instance, where the customer's own ACME client can answer them. */
static void decide_http(const Config *config, Span path, Decision *ret)
{
        const Instance *instance = &config->instances[ret->instance];
        Span token;

        if (instance->is_suspended) {
                decide_refuse(REFUSE_SUSPENDED, ret);
                return;
        }
        if (challenge_find_token(path, &token))
                return;
        switch (instance->http) {
        case HTTP_SERVE:
                return;
        case HTTP_REFUSE:
                decide_refuse(REFUSE_PLAIN_HTTP, ret);
                return;
        case HTTP_REDIRECT:
                if (path.size > DECIDE_REDIRECT_MAX - REDIRECT_OVERHEAD)
                        decide_refuse(REFUSE_TOO_LARGE, ret);
                else
                        ret->kind = DECISION_REDIRECT;
                return;
        }
}

static void decide_host(const Config *config, const Question *question, Decision *ret)
{
        const bool tls = question->protocol == BELLHOP_PROTOCOL_TLS;
        const HostMapMatch match = hostmap_find_host(config->map, &ret->host);

        ret->route = match.route;
        if (match.route == ROUTE_NONE) {
                decide_default(config, REFUSE_UNKNOWN_HOST, ret);
        } else if (match.instance == ROUTE_NONE) {
                decide_refuse(REFUSE_UNKNOWN_HOST, ret);
        } else {
                ret->instance = match.instance;
                ret->reason = tls ? BELLHOP_REASON_SERVER_NAME : BELLHOP_REASON_HOST;
                decide_challenge(config, question, ret);
        }
        if (ret->kind == DECISION_ROUTE && !tls)
                decide_http(config, question->path, ret);
}

/* Some clients append the port to a TLS server name, and OpenSSL's servers accept that. But a name
 * with two or more colons is an IPv6 address. */
static HostnameResult decide_parse(const Question *question, Hostname *ret)
{
        const Span host = question->host;
        const uint8_t *colon = host.size > 0 ? memchr(host.data, ':', host.size) : NULL;
        const size_t rest = colon ? host.size - (size_t)(colon + 1 - host.data) : 0;

        return question->protocol == BELLHOP_PROTOCOL_TLS && rest > 0 &&
                               memchr(colon + 1, ':', rest)
                       ? hostname_parse(host, ret)
                       : hostname_parse_with_port(host, ret);
}

void decide(const Config *config, const Question *question, Decision *ret)
{
        const bool tls = question->protocol == BELLHOP_PROTOCOL_TLS;

        if (question->has_local && decide_address(config, &question->local, ret))
                return;
        *ret = (Decision){ .instance = ROUTE_NONE, .route = ROUTE_NONE };
        switch (decide_parse(question, &ret->host)) {
        case HOSTNAME_OK:
                decide_host(config, question, ret);
                return;
        case HOSTNAME_ADDRESS:
                /* No route has an address as its host, but the default instance gets all unknown
                 * hosts. */
                decide_default(config, REFUSE_UNKNOWN_HOST, ret);
                return;
        case HOSTNAME_EMPTY:
                /* A Host field with only a port names no host either. */
                if (!tls && (question->host_required || question->host.size > 0))
                        decide_refuse(REFUSE_NO_HOST, ret);
                else
                        decide_default(config, REFUSE_NO_HOST, ret);
                return;
        case HOSTNAME_INVALID:
                decide_refuse(tls ? REFUSE_UNKNOWN_HOST : REFUSE_MALFORMED, ret);
                return;
        }
}

size_t decide_redirect(const Decision *decision, Span method, Span path,
                       char ret[static DECIDE_REDIRECT_MAX])
{
        /* For methods other than GET and HEAD, the status is 308: with it, clients keep the method
         * (RFC 9110 section 15.4.9). */
        const bool read_only = span_equals(method, "GET") || span_equals(method, "HEAD");
        /* The target "*", and a target without a path, mean the whole host: the redirect has the
         * path "/". */
        const bool has_path = path.size > 0 && path.data[0] == '/';
        const bool has_query = path.size > 0 && path.data[0] == '?';
        const int n = snprintf(ret, DECIDE_REDIRECT_MAX,
                               "HTTP/1.1 %s\r\n"
                               "Location: https://%s%s%.*s\r\n"
                               "Content-Length: 0\r\n"
                               "Connection: close\r\n"
                               "\r\n",
                               read_only ? "301 Moved Permanently" : "308 Permanent Redirect",
                               decision->host.name, has_path ? "" : "/",
                               has_path || has_query ? (int)path.size : 0, (const char *)path.data);

        return n < 0 || n >= DECIDE_REDIRECT_MAX ? 0 : (size_t)n;
}
