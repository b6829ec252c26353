/* SPDX-License-Identifier: MIT */
/*
 * Owns the question whose a connection is: by its local address, else by a peek at its first bytes.
 * Changes nothing at the connection, and nothing in the router.
 */
#include <sys/socket.h>

#include "router/look.h"
#include "router/router.h"
#include "sniff/sniff-proxy.h"
#include "util/cleanup.h"

bool look_local_address(int fd, Address *ret)
{
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);

        return getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
               address_from_sockaddr(&sa, ret);
}

bool look_peer_address(int fd, Address *ret)
{
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);

        return getpeername(fd, (struct sockaddr *)&sa, &size) == 0 &&
               address_from_sockaddr(&sa, ret);
}

/* Costs nothing where no proxy is trusted. */
static bool is_from_proxy(const TrustedProxies *proxies, int fd)
{
        Address peer;

        return proxies->n > 0 && look_peer_address(fd, &peer) &&
               trusted_proxies_have(proxies, &peer);
}

static void look_at_address(const Router *router, int fd, Look *look)
{
        Address local;

        if (!hostmap_has_addresses(router->config->map) || !look_local_address(fd, &local))
                return;
        look->instance = hostmap_find_address(router->config->map, &local);
        if (look->instance == ROUTE_NONE)
                return;
        look->kind = LOOK_ROUTE;
        look->handoff.reason = BELLHOP_REASON_ADDRESS;
}

static void look_up(const Config *config, const Hostname *host, bool host_required, Look *look)
{
        const RouteKind kind =
                host_required ? ROUTE_UNKNOWN : config_route(config, host, &look->instance);

        switch (kind) {
        case ROUTE_BY_HOST:
                look->kind = LOOK_ROUTE;
                look->handoff.reason = look->handoff.protocol == BELLHOP_PROTOCOL_TLS
                                               ? BELLHOP_REASON_SERVER_NAME
                                               : BELLHOP_REASON_HOST;
                break;
        case ROUTE_BY_DEFAULT:
                look->kind = LOOK_ROUTE;
                look->handoff.reason = BELLHOP_REASON_DEFAULT;
                break;
        case ROUTE_UNKNOWN:
                look->kind = LOOK_REFUSE;
                look->refuse = host ? REFUSE_UNKNOWN_HOST : REFUSE_NO_HOST;
                break;
        }
}

static void look_at_host(const Config *config, const Sniff *sniffed, Look *look)
{
        const Span text = { .data = sniffed->host, .size = sniffed->host_length };
        const bool tls = sniffed->protocol == BELLHOP_PROTOCOL_TLS;
        Hostname host;

        switch (tls ? hostname_parse(text, &host) : hostname_parse_with_port(text, &host)) {
        case HOSTNAME_OK:
                memcpy(look->handoff.host, host.name, host.length + 1);
                look_up(config, &host, false, look);
                return;
        case HOSTNAME_ADDRESS:
                /* No route has one as its host, but the default takes whatever is unknown. */
                look_up(config, NULL, false, look);
                if (look->kind == LOOK_REFUSE)
                        look->refuse = REFUSE_UNKNOWN_HOST;
                return;
        case HOSTNAME_EMPTY:
                look_up(config, NULL, !tls, look);
                return;
        case HOSTNAME_INVALID:
                look->kind = LOOK_REFUSE;
                look->refuse = tls ? REFUSE_UNKNOWN_HOST : REFUSE_MALFORMED;
                return;
        }
}

/* Some need no site: the router answers, and nobody is woken. */
static void look_ask_doorman(const Config *config, Look *look)
{
        switch (doorman_ask(config->instances[look->instance].http, &look->sniffed)) {
        case DOORMAN_PASS:
                return;
        case DOORMAN_REDIRECT:
                look->kind = LOOK_REDIRECT;
                return;
        case DOORMAN_REFUSE:
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_PLAIN_HTTP;
                return;
        case DOORMAN_TOO_LONG:
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_TOO_LARGE;
                return;
        }
}

size_t look_redirect(const Look *look, char ret[static DOORMAN_REPLY_MAX])
{
        return doorman_redirect(look->handoff.host, &look->sniffed, ret);
}

static void look_for_more(const Config *config, size_t need_bytes, Look *look)
{
        look->kind = LOOK_MORE;
        look->need_bytes = need_bytes;
        if (need_bytes > config->router.sniff_max_bytes) {
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_TOO_LARGE;
        }
}

/* A trusted proxy speaks first. Steps over its header, which is for the instance to read; false
 * when there is nothing to sniff behind it. */
static bool look_at_proxy(const Config *config, Span *bytes, Look *look)
{
        const SniffProxy proxy = sniff_proxy(*bytes);
        Span header;

        switch (proxy.outcome) {
        case SNIFF_PROXY_MORE:
                look_for_more(config, proxy.need_bytes, look);
                return false;
        case SNIFF_PROXY_SOURCE:
                look->client = LOOK_CLIENT_TOLD;
                look->told = proxy.source;
                break;
        case SNIFF_PROXY_NO_SOURCE:
                look->client = LOOK_CLIENT_PEER;
                break;
        case SNIFF_PROXY_MALFORMED:
                /* If it is just missing, the client is told so in its own protocol's words. */
                look->handoff.protocol = sniff(*bytes).protocol;
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_MALFORMED;
                return false;
        }
        return span_take(bytes, proxy.size, &header);
}

/* skipped: how many bytes before these. */
static void look_at_bytes(const Config *config, Span bytes, size_t skipped, Look *look)
{
        look->sniffed = sniff(bytes);
        look->handoff.protocol = look->sniffed.protocol;
        switch (look->sniffed.outcome) {
        case SNIFF_HOST:
                look_at_host(config, &look->sniffed, look);
                if (look->kind == LOOK_ROUTE && look->handoff.host[0])
                        look_ask_doorman(config, look);
                return;
        case SNIFF_NO_HOST:
                look_up(config, NULL, look->sniffed.host_required, look);
                return;
        case SNIFF_MALFORMED:
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_MALFORMED;
                return;
        case SNIFF_MORE:
                look_for_more(config, skipped + look->sniffed.need_bytes, look);
                return;
        }
}

static void look_at_input(const Config *config, Span bytes, bool end_of_input, Look *look)
{
        look->n_bytes = bytes.size;
        if (look->client == LOOK_CLIENT_PEER)
                look_at_bytes(config, bytes, 0, look);
        else if (look_at_proxy(config, &bytes, look))
                look_at_bytes(config, bytes, look->n_bytes - bytes.size, look);

        if (look->kind != LOOK_MORE || !end_of_input)
                return;
        /* A proxy's header alone is as if nothing had been said: its client went, or it only wanted
         * to see whether we are there. */
        look->kind = bytes.size > 0 ? LOOK_REFUSE : LOOK_GONE;
        look->refuse = REFUSE_MALFORMED;
}

void look_at(const Router *router, int fd, bool end_of_input, Look *look)
{
        const Config *config = router->config;
        ssize_t n;

        *look = (Look){ .kind = LOOK_MORE, .need_bytes = 1 };
        if (is_from_proxy(&config->router.trusted_proxies, fd))
                look->client = LOOK_CLIENT_UNKNOWN;
        look_at_address(router, fd, look);
        if (look->kind == LOOK_ROUTE)
                return;

        n = recv(fd, router->peek, config->router.sniff_max_bytes, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0)
                look_at_input(config, (Span){ .data = router->peek, .size = (size_t)n },
                              end_of_input, look);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                look->kind = LOOK_GONE;
}
