/* SPDX-License-Identifier: MIT */
/* All looks use the same buffer, so the spans in a Look are valid only until the next look. */
#include <sys/socket.h>

#include "router/look.h"
#include "util/cleanup.h"

/* Whether the peer is a trusted proxy. If the settings name no proxies, no system call is
 * necessary. */
static bool look_is_from_proxy(const TrustedProxies *proxies, int fd)
{
        Address peer;

        return proxies->n > 0 && address_peer(fd, &peer) && trusted_proxies_have(proxies, &peer);
}

static bool look_at_address(const Config *config, int fd, Look *look)
{
        Address local;

        return hostmap_has_addresses(config->map) && address_local(fd, &local) &&
               decide_address(config, &local, &look->decision);
}

void look_refuse(Look *look, RefuseReason reason)
{
        look->kind = LOOK_DECIDED;
        look->decision = (Decision){ .kind = DECISION_REFUSE,
                                     .refuse = reason,
                                     .instance = ROUTE_NONE,
                                     .route = ROUTE_NONE };
}

static void look_for_more(const Config *config, size_t need_bytes, Look *look)
{
        look->kind = LOOK_MORE;
        look->need_bytes = need_bytes;
        if (need_bytes > config->router.sniff_max_bytes)
                look_refuse(look, REFUSE_TOO_LARGE);
}

/* Skips the PROXY header of a trusted proxy. The header stays unread in the socket, because the
 * instance needs it, too. Returns false if the header is incomplete or malformed. */
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
                /* If the bytes are a client's request, without a PROXY header, the client gets the
                 * refusal in the protocol of this request. */
                look->protocol = sniff(*bytes).protocol;
                look_refuse(look, REFUSE_MALFORMED);
                return false;
        }
        return span_take(bytes, proxy.size, &header);
}

/* The parameter skipped is the size of the PROXY header before these bytes, or 0. */
static void look_at_bytes(const Config *config, Span bytes, size_t skipped, Look *look)
{
        Question question;

        look->sniffed = sniff(bytes);
        look->protocol = look->sniffed.protocol;
        switch (look->sniffed.outcome) {
        case SNIFF_HOST:
        case SNIFF_NO_HOST:
                question = (Question){
                        .protocol = look->protocol,
                        .host_required = look->sniffed.host_required,
                        .host = { look->sniffed.host, look->sniffed.host_length },
                        .offers_acme = look->sniffed.offers_acme,
                        .method = look->sniffed.method,
                        .path = look->sniffed.path,
                };
                look->kind = LOOK_DECIDED;
                decide(config, &question, &look->decision);
                return;
        case SNIFF_MALFORMED:
                look_refuse(look, REFUSE_MALFORMED);
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
        /* If there are no bytes after a PROXY header, the client has left, or the proxy has only
         * checked whether the router is available. */
        if (bytes.size > 0)
                look_refuse(look, REFUSE_MALFORMED);
        else
                look->kind = LOOK_GONE;
}

static ssize_t look_peek(const Config *config, uint8_t *buffer, int fd)
{
        return recv(fd, buffer, config->router.sniff_max_bytes, MSG_PEEK | MSG_DONTWAIT);
}

void look_at(const Config *config, uint8_t *buffer, int fd, bool end_of_input, Look *ret)
{
        ssize_t n;

        *ret = (Look){ .kind = LOOK_MORE, .need_bytes = 1 };
        if (look_is_from_proxy(&config->router.trusted_proxies, fd))
                ret->client = LOOK_CLIENT_UNKNOWN;
        if (look_at_address(config, fd, ret)) {
                ret->kind = LOOK_DECIDED;
                return;
        }
        n = look_peek(config, buffer, fd);
        if (n > 0)
                look_at_input(config, (Span){ .data = buffer, .size = (size_t)n }, end_of_input,
                              ret);
        else if (n == 0 || (errno != EAGAIN && errno != EINTR))
                ret->kind = LOOK_GONE;
}

bool look_for_challenge(const Config *config, uint8_t *buffer, int fd, const Look *look, Look *ret)
{
        const ssize_t n = look_peek(config, buffer, fd);

        if (n <= 0)
                return false;
        *ret = (Look){ .client = look->client };
        look_at_input(config, (Span){ .data = buffer, .size = (size_t)n }, false, ret);
        return ret->kind == LOOK_DECIDED && ret->decision.challenge != CHALLENGE_NONE &&
               ret->decision.instance == look->decision.instance;
}
