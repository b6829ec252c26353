/* SPDX-License-Identifier: MIT */
/* Fuzz target: the parser of HTTP/1 heads. Beside the general rules: only bytes of a host come out,
 * and a challenge has a token that can be the name of a file, which ends the path. */
#include "fuzz-sniff.h"

#include <ctype.h>

#include "decide/decide.h"

/* Whatever host it is, an instance has it. */
static const Config *make_config(const Hostname *host)
{
        static Instance instance = { .tls = TLS_ACME };
        static Config config = { .instances = &instance,
                                 .n_instances = 1,
                                 .default_instance = ROUTE_NONE };
        uint64_t other;

        hostmap_free(config.map);
        config.map = hostmap_new();
        if (!config.map)
                exit(0);
        require(hostmap_add_host(config.map, host->name, 0, 0, &other) == 0);
        return &config;
}

static void check_challenge(const Sniff *s)
{
        const Question question = { .protocol = BELLHOP_PROTOCOL_HTTP,
                                    .host = { s->host, s->host_length },
                                    .method = s->method,
                                    .path = s->path };
        Decision decision;
        Hostname host;

        if (hostname_parse_with_port(question.host, &host) != HOSTNAME_OK)
                return;
        decide(make_config(&host), &question, &decision);
        if (decision.challenge == CHALLENGE_NONE)
                return;
        require(decision.challenge == CHALLENGE_HTTP);
        require(span_equals(s->method, "GET") || span_equals(s->method, "HEAD"));
        require(decision.token.size > 0 && decision.token.size <= CHALLENGE_TOKEN_MAX);
        require(decision.token.data + decision.token.size == s->path.data + s->path.size);
        for (size_t i = 0; i < decision.token.size; i++)
                require(isalnum(decision.token.data[i]) || decision.token.data[i] == '-' ||
                        decision.token.data[i] == '_');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span in = { .data = data, .size = size };
        Sniff s, other;

        check_prefixes(sniff_http, data, size);
        s = sniff_http(in);
        for (size_t i = 0; i < s.host_length; i++)
                require(isalnum(s.host[i]) || memchr(":[]-._", s.host[i], 6) != NULL);
        if (s.outcome == SNIFF_HOST)
                check_challenge(&s);
        if (s.outcome == SNIFF_HOST || s.outcome == SNIFF_NO_HOST)
                require(memmem(data, size, "\r\n\r\n", 4) != NULL);
        if (s.protocol == BELLHOP_PROTOCOL_HTTP) {
                other = sniff(in);
                require(sniff_equals(&s, &other));
        }
        return 0;
}
