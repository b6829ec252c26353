/* SPDX-License-Identifier: MIT */
/*
 * Fuzz target: questions about routes, as anybody who may read the metrics can send them. What is a
 * question stays the same one when it is written again, and an answer has lines of ours only.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "decide/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static const Config *make_config(void)
{
        static char names[][8] = { "alice", "bob", "carol" };
        static Instance instances[] = {
                { .name = names[0], .file = names[0], .http = HTTP_REDIRECT },
                { .name = names[1], .file = names[1], .default_line = 4 },
                { .name = names[2], .file = names[2], .http = HTTP_REFUSE },
        };
        static Config config = { .instances = instances, .n_instances = 3, .default_instance = 1 };
        Address address;
        uint64_t other;

        if (config.map)
                return &config;
        config.map = hostmap_new();
        if (!config.map)
                exit(0);
        require(hostmap_add_host(config.map, "a.example", 0, 2, &other) == 0);
        require(hostmap_add_host(config.map, "*.a.example", 2, 3, &other) == 0);
        require(address_parse(span_from_string("192.0.2.7"), &address));
        require(hostmap_add_address(config.map, &address, 2, 5, &other) == 0);
        return &config;
}

/* "KEY=VALUE", with nothing that could be another line or came from the question. */
static void check_answer(const char *text)
{
        require(strncmp(text, "OUTCOME=", strlen("OUTCOME=")) == 0);
        for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
                const char *equals = strchr(line, '='), *end = strchr(line, '\n');

                require(equals && end && equals > line && equals + 1 < end);
                for (const char *c = line; c < equals; c++)
                        require(isupper((unsigned char)*c));
                for (const char *c = equals; c < end; c++)
                        require(isalnum((unsigned char)*c) || strchr("=*./-", *c) != NULL);
        }
}

static bool same_address(const Address *a, const Address *b)
{
        return IN6_ARE_ADDR_EQUAL(&a->ip, &b->ip) && a->port == b->port;
}

static bool same(const Question *a, const Question *b)
{
        return a->protocol == b->protocol && a->has_local == b->has_local &&
               (!a->has_local || same_address(&a->local, &b->local)) &&
               a->host.size == b->host.size &&
               (a->host.size == 0 || memcmp(a->host.data, b->host.data, a->host.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Question question, again;
        Explanation explanation;
        char answer[EXPLAIN_MAX], text[8192];

        if (!explain_parse_question((Span){ data, size }, &question))
                return 0;
        explain(make_config(), &question, answer);
        check_answer(answer);
        explain_parse(answer, &explanation);
        require(explanation.outcome && (explanation.reason || explanation.instance));
        /* A NUL ends a string, and can be in no request that gets so far. */
        if (size > 4096 || memchr(data, 0, size))
                return 0;
        require(explain_format_question(&question, text, sizeof(text)));
        require(explain_parse_question(span_from_string(text), &again));
        require(same(&question, &again));
        return 0;
}
