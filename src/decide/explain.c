/* SPDX-License-Identifier: MIT */
#include "decide/explain.h"
#include "util/cleanup.h"

static bool explain_take_value(Span word, const char *key, Span *ret)
{
        const size_t length = strlen(key);

        if (word.size < length || memcmp(word.data, key, length) != 0 || ret->data)
                return false;
        *ret = (Span){ .data = word.data + length, .size = word.size - length };
        return true;
}

bool explain_parse_question(Span text, Question *ret)
{
        Span protocol = { 0 }, host = { 0 }, address = { 0 }, word;
        Address local = { 0 };
        bool more = true, tls;

        while (more) {
                more = span_take_until(&text, '&', &word);
                if (!more)
                        word = text;
                if (!explain_take_value(word, "protocol=", &protocol) &&
                    !explain_take_value(word, "host=", &host) &&
                    !explain_take_value(word, "address=", &address))
                        return false;
        }
        tls = span_equals(protocol, "tls");
        if ((!tls && !span_equals(protocol, "http")) ||
            (address.data && (!address_parse(address, &local) || local.port == 0)))
                return false;
        *ret = (Question){ .protocol = tls ? BELLHOP_PROTOCOL_TLS : BELLHOP_PROTOCOL_HTTP,
                           .has_local = address.data,
                           .host_required = !tls,
                           .local = local,
                           .host = host };
        return true;
}

bool explain_format_question(const Question *question, char *ret, size_t size)
{
        char address[ADDRESS_TEXT_MAX] = "";
        int n;

        if (question->has_local)
                address_format(&question->local, address);
        n = snprintf(ret, size, "protocol=%s%s%.*s%s%s",
                     question->protocol == BELLHOP_PROTOCOL_TLS ? "tls" : "http",
                     question->host.data ? "&host=" : "", (int)question->host.size,
                     (const char *)question->host.data, address[0] ? "&address=" : "", address);
        return n > 0 && (size_t)n < size;
}

static const char *const explain_keys[EXPLAIN_LINES] = {
        "OUTCOME=", "REASON=", "INSTANCE=", "WHY=", "ROUTE=", "FILE=", "LINE=",
};

void explain(const Config *config, const Question *question, char ret[static EXPLAIN_MAX])
{
        static const char *const outcomes[] = { [DECISION_ROUTE] = "hand-off",
                                                [DECISION_REDIRECT] = "redirect",
                                                [DECISION_REFUSE] = "refuse" };
        char line[sizeof("4294967295")];
        Explanation explanation;
        HostMapRoute route;
        Decision decision;
        unsigned number = 0;
        size_t used = 0;

        decide(config, question, &decision);
        explanation = (Explanation){ .outcome = outcomes[decision.kind] };
        if (decision.kind == DECISION_REFUSE)
                explanation.reason = refuse_reason_name(decision.refuse);
        if (decision.instance != ROUTE_NONE) {
                explanation.instance = config->instances[decision.instance].name;
                explanation.file = config->instances[decision.instance].file;
                explanation.why = "default";
                explanation.line = line;
                number = config->instances[decision.instance].default_line;
        }
        if (decision.route != ROUTE_NONE) {
                route = hostmap_route(config->map, decision.route);
                explanation.why = route.is_address       ? "address"
                                  : route.what[0] == '*' ? "wildcard"
                                                         : "exact";
                explanation.route = route.what;
                explanation.line = line;
                explanation.file = config_origin(config, route.origin).file;
                number = (unsigned)route.origin;
        }
        snprintf(line, sizeof(line), "%u", number);
        ret[0] = 0;
        for (size_t i = 0; i < EXPLAIN_LINES && used < EXPLAIN_MAX; i++)
                if (explanation.values[i])
                        used += (size_t)snprintf(ret + used, EXPLAIN_MAX - used, "%s%s\n",
                                                 explain_keys[i], explanation.values[i]);
}

void explain_parse(char *text, Explanation *ret)
{
        char *line;

        *ret = (Explanation){ .outcome = NULL };
        while ((line = strsep(&text, "\n")))
                for (size_t i = 0; i < EXPLAIN_LINES; i++)
                        if (strncmp(line, explain_keys[i], strlen(explain_keys[i])) == 0)
                                ret->values[i] = line + strlen(explain_keys[i]);
}
