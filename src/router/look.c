/* SPDX-License-Identifier: MIT */
/*
 * Owns the question whose a connection is: by its local address, else by a peek at its first bytes.
 * Changes nothing at the connection, and nothing in the router.
 */
#include <sys/socket.h>

#include "router/look.h"
#include "router/router.h"
#include "util/cleanup.h"

bool look_local_address(int fd, Address *ret)
{
        struct sockaddr_storage sa;
        socklen_t size = sizeof(sa);

        return getsockname(fd, (struct sockaddr *)&sa, &size) == 0 &&
               address_from_sockaddr(&sa, ret);
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

static void look_at_bytes(const Router *router, Span bytes, Look *look)
{
        look->sniffed = sniff(bytes);
        look->handoff.protocol = look->sniffed.protocol;
        switch (look->sniffed.outcome) {
        case SNIFF_HOST:
                look_at_host(router->config, &look->sniffed, look);
                if (look->kind == LOOK_ROUTE && look->handoff.host[0])
                        look_ask_doorman(router->config, look);
                return;
        case SNIFF_NO_HOST:
                look_up(router->config, NULL, look->sniffed.host_required, look);
                return;
        case SNIFF_MALFORMED:
                look->kind = LOOK_REFUSE;
                look->refuse = REFUSE_MALFORMED;
                return;
        case SNIFF_MORE:
                look->kind = LOOK_MORE;
                look->need_bytes = look->sniffed.need_bytes;
                if (look->sniffed.need_bytes > router->config->router.sniff_max_bytes) {
                        look->kind = LOOK_REFUSE;
                        look->refuse = REFUSE_TOO_LARGE;
                }
                return;
        }
}

void look_at(const Router *router, int fd, bool end_of_input, Look *look)
{
        ssize_t n;

        *look = (Look){ .kind = LOOK_MORE, .need_bytes = 1 };
        look_at_address(router, fd, look);
        if (look->kind == LOOK_ROUTE)
                return;

        n = recv(fd, router->peek, router->config->router.sniff_max_bytes, MSG_PEEK | MSG_DONTWAIT);
        if (n > 0) {
                look->n_bytes = (size_t)n;
                look_at_bytes(router, (Span){ .data = router->peek, .size = (size_t)n }, look);
                if (look->kind == LOOK_MORE && end_of_input) {
                        look->kind = LOOK_REFUSE;
                        look->refuse = REFUSE_MALFORMED;
                }
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
                look->kind = LOOK_GONE;
        }
}
