/* SPDX-License-Identifier: MIT */
/*
 * Owns how routing is told to people. Follows what src/router/look.c and doorman.c do, in which
 * only outcomes matter.
 */
#include "config/explain.h"
#include "util/cleanup.h"

static bool take_value(Span word, const char *key, Span *ret)
{
        const size_t length = strlen(key);

        if (word.size < length || memcmp(word.data, key, length) != 0 || ret->data)
                return false;
        *ret = (Span){ .data = word.data + length, .size = word.size - length };
        return true;
}

/* Takes the next word; false: it was the last one. */
static bool take_word(Span *rest, Span *ret)
{
        const uint8_t *end = rest->size > 0 ? memchr(rest->data, '&', rest->size) : NULL;
        Span separator;

        return span_take(rest, end ? (size_t)(end - rest->data) : rest->size, ret) && end &&
               span_take(rest, 1, &separator);
}

static bool parse_port(Span text, uint16_t *ret)
{
        uint32_t port = 0;

        if (text.size == 0 || text.size > strlen("65535") || text.data[0] == '0')
                return false;
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                port = port * 10 + (text.data[i] - '0');
        }
        *ret = (uint16_t)port;
        return port <= UINT16_MAX;
}

bool route_question_parse(Span text, RouteQuestion *ret)
{
        Span protocol = { 0 }, host = { 0 }, address = { 0 }, port = { 0 };
        RouteQuestion question = { .tls = false };
        bool more = true;

        while (more) {
                Span word = { .size = 0 };

                more = take_word(&text, &word);
                if (!take_value(word, "protocol=", &protocol) &&
                    !take_value(word, "host=", &host) && !take_value(word, "address=", &address) &&
                    !take_value(word, "port=", &port))
                        return false;
        }
        question.host = host;
        question.tls = span_equals(protocol, "tls");
        if (!question.tls && !span_equals(protocol, "http"))
                return false;
        question.has_local = address.data;
        if (!address.data != !port.data)
                return false;
        /* An address with a port in it would have two. */
        if (address.data && (!address_parse(address, &question.local) || question.local.port != 0 ||
                             !parse_port(port, &question.local.port)))
                return false;
        *ret = question;
        return true;
}

bool route_question_format(const RouteQuestion *question, char *ret, size_t size)
{
        char address[ADDRESS_TEXT_MAX] = "", port[sizeof("&port=65535")] = "";
        const Address plain = { .ip = question->local.ip };
        int n;

        if (question->has_local) {
                address_format(&plain, address);
                snprintf(port, sizeof(port), "&port=%u", question->local.port);
        }
        n = snprintf(ret, size, "protocol=%s%s%.*s%s%s%s", question->tls ? "tls" : "http",
                     question->host.size > 0 ? "&host=" : "", (int)question->host.size,
                     (const char *)question->host.data, address[0] ? "&address=" : "", address,
                     port);
        return n > 0 && (size_t)n < size;
}

/* What becomes of a connection. */
typedef struct Answer {
        const char *outcome;
        const char *reason; /* NULL: it is not refused */
        const char *why;    /* NULL: nothing leads anywhere */
        uint32_t instance;
        const char *route;
        unsigned line;
} Answer;

static void explain_default(const Config *config, const char *refuse, Answer *answer)
{
        if (config->default_instance == ROUTE_NONE) {
                answer->outcome = "refuse";
                answer->reason = refuse;
                return;
        }
        answer->why = "default";
        answer->instance = config->default_instance;
        answer->line = config->instances[answer->instance].default_line;
}

static void explain_route(const HostMapRoute *route, const char *why, Answer *answer)
{
        answer->why = why;
        answer->instance = route->instance;
        answer->route = route->what;
        answer->line = (unsigned)route->origin;
}

/* Plain HTTP for a host: the router may answer for the site. */
static void explain_doorman(const Config *config, Answer *answer)
{
        switch (config->instances[answer->instance].http) {
        case HTTP_SERVE:
                return;
        case HTTP_REDIRECT:
                answer->outcome = "redirect";
                return;
        case HTTP_REFUSE:
                answer->outcome = "refuse";
                answer->reason = "plain-http";
                return;
        }
}

static void explain_host(const Config *config, const RouteQuestion *question, HostMapRoute *room,
                         Answer *answer)
{
        const bool tls = question->tls;
        Hostname host;

        switch (tls ? hostname_parse(question->host, &host)
                    : hostname_parse_with_port(question->host, &host)) {
        case HOSTNAME_OK:
                if (hostmap_explain_host(config->map, &host, room))
                        explain_route(room, room->what[0] == '*' ? "wildcard" : "exact", answer);
                else
                        explain_default(config, "unknown-host", answer);
                if (!answer->reason && !tls)
                        explain_doorman(config, answer);
                return;
        case HOSTNAME_ADDRESS:
                explain_default(config, "unknown-host", answer);
                return;
        case HOSTNAME_EMPTY:
                /* As browsers speak: of HTTP/1.1, a host is required. */
                if (tls)
                        explain_default(config, "no-host", answer);
                else
                        *answer = (Answer){ .outcome = "refuse", .reason = "no-host" };
                return;
        case HOSTNAME_INVALID:
                *answer = (Answer){ .outcome = "refuse",
                                    .reason = tls ? "unknown-host" : "malformed" };
                return;
        }
}

static void put(char *ret, size_t *used, const char *key, const char *value)
{
        const int n =
                value ? snprintf(ret + *used, ROUTE_ANSWER_MAX - *used, "%s=%s\n", key, value) : 0;

        if (n > 0 && (size_t)n < ROUTE_ANSWER_MAX - *used)
                *used += (size_t)n;
        ret[*used] = 0;
}

void route_explain(const Config *config, const RouteQuestion *question,
                   char ret[static ROUTE_ANSWER_MAX])
{
        Answer answer = { .outcome = "hand-off" };
        char line[sizeof("4294967295")];
        HostMapRoute route;
        size_t used = 0;

        if (question->has_local && hostmap_explain_address(config->map, &question->local, &route))
                explain_route(&route, "address", &answer);
        else
                explain_host(config, question, &route, &answer);

        put(ret, &used, "OUTCOME", answer.outcome);
        put(ret, &used, "REASON", answer.reason);
        if (!answer.why)
                return;
        snprintf(line, sizeof(line), "%u", answer.line);
        put(ret, &used, "INSTANCE", config->instances[answer.instance].name);
        put(ret, &used, "WHY", answer.why);
        put(ret, &used, "ROUTE", answer.route);
        put(ret, &used, "FILE", config->instances[answer.instance].file);
        put(ret, &used, "LINE", line);
}
