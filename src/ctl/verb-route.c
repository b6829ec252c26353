/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl route: shows which route the router uses for a connection, and whether the present
 * files have another route for it.
 */
#include "config/names.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/show/output.h"
#include "decide/explain.h"
#include "util/cleanup.h"
#include "util/text.h"

DEFINE_CLEANUP(Config *, config_free);

enum { TLS, HTTP, PROTOCOLS };

static const char *const protocol_names[PROTOCOLS] = { "tls", "http" };
static const uint16_t default_ports[PROTOCOLS] = { 443, 80 };

/* The host or address on the command line. */
typedef struct Wanted {
        const char *text;
        bool is_address;
        Address address; /* if its port is 0, the port is the usual one of the protocol */
} Wanted;

typedef struct Answer {
        char text[EXPLAIN_MAX];
        Explanation is; /* if outcome is NULL, this protocol was not requested */
} Answer;

static bool route_same(const char *a, const char *b)
{
        return a == b || (a && b && strcmp(a, b) == 0);
}

static bool route_answers_agree(const Explanation *a, const Explanation *b)
{
        return route_same(a->outcome, b->outcome) && route_same(a->reason, b->reason) &&
               route_same(a->instance, b->instance) && route_same(a->why, b->why) &&
               route_same(a->route, b->route);
}

/* Returns a Question (decide.h) for the request that a browser would send. A browser sends an
 * address in the Host field, but not as a TLS server name. room: memory for Question.host if the
 * host is an address. */
static Question route_question_of(const Wanted *wanted, int protocol, char room[static 64])
{
        Question question = {
                .protocol = protocol == TLS ? BELLHOP_PROTOCOL_TLS : BELLHOP_PROTOCOL_HTTP,
                .host_required = protocol == HTTP,
                .host = span_from_string(wanted->text),
                .has_local = wanted->is_address,
                .local = wanted->address,
        };
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&wanted->address.ip);
        char text[ADDRESS_TEXT_MAX];

        if (!wanted->is_address)
                return question;
        question.local.port = 0;
        address_format(&question.local, text);
        (void)snprintf(room, 64, v4 ? "%s" : "[%s]", text);
        question.host = span_from_string(protocol == TLS ? "" : room);
        question.local.port = wanted->address.port ? wanted->address.port : default_ports[protocol];
        return question;
}

static int route_ask_router(const Ctl *ctl, const Question *question, Answer *ret)
{
        char path[HOSTNAME_MAX + 256] = "/route?";
        _cleanup_free_ char *text = NULL;
        int r;

        if (!explain_format_question(question, path + strlen(path), sizeof(path) - strlen(path)))
                return -EMSGSIZE;
        r = control_fetch(ctl->runtime_dir, path, &text);
        if (r < 0)
                return r;
        (void)snprintf(ret->text, sizeof(ret->text), "%s", text);
        explain_parse(ret->text, &ret->is);
        return ret->is.outcome ? 0 : -EPROTO;
}

static void route_ask_files(const Config *config, const Question *question, Answer *ret)
{
        explain(config, question, ret->text);
        explain_parse(ret->text, &ret->is);
}

/* Returns the answer in words, which the caller frees, or NULL if memory runs out. */
static char *route_words(const Explanation *answer)
{
        const char *cause = answer->reason ? refuse_reason_cause(answer->reason) : NULL;

        if (answer->reason && answer->route && !answer->instance)
                return text_format("%s: Host=%s is in a file with a mistake", answer->reason,
                                   answer->route);
        if (answer->reason)
                return text_format("%s%s%s", answer->reason, cause ? ": " : "", cause ? cause : "");
        if (!answer->why || !answer->route)
                return strdup(answer->why ? "default: no other route matches" : "-");
        return text_format("%s: %s=%s%s", answer->why,
                           strcmp(answer->why, "address") == 0 ? "Address" : "Host", answer->route,
                           strcmp(answer->outcome, "redirect") == 0 ? ", Http=redirect" : "");
}

enum { PROTOCOL, OUTCOME, INSTANCE, WHY, ROUTE, REASON, PLACE, LINE, AGREE, COLUMNS };

/* JSON has a column for each value. The table for people merges some of them. */
static void route_fill_json(Table *table, int protocol, const Explanation *answer,
                            const Explanation *files)
{
        const char *const cells[COLUMNS] = {
                [PROTOCOL] = protocol_names[protocol],
                [OUTCOME] = answer->outcome,
                [INSTANCE] = answer->instance,
                [WHY] = answer->why,
                [ROUTE] = answer->route,
                [REASON] = answer->reason,
                [PLACE] = answer->file,
                [LINE] = answer->line,
        };

        for (size_t i = 0; i < COLUMNS; i++)
                table_set(table, i, cells[i]);
        table_set_bool(table, AGREE, route_answers_agree(answer, files));
}

static void route_fill_text(Table *table, int protocol, const Explanation *answer)
{
        _cleanup_free_ char *why = route_words(answer);
        const bool refused = strcmp(answer->outcome, "refuse") == 0;

        table_set(table, 0, protocol == TLS ? "TLS" : "HTTP");
        table_set(table, 1, answer->outcome);
        table_set_color(table, 1, refused ? COLOR_ERROR : COLOR_GOOD);
        table_set(table, 2, answer->instance ? answer->instance : "-");
        table_set(table, 3, why);
        if (answer->file)
                table_setf(table, 4, "%s:%s", answer->file, answer->line);
}

static int route_print(const Output *output, const Answer answers[static PROTOCOLS],
                       const Answer files[static PROTOCOLS])
{
        static const Column json[COLUMNS] = {
                [PROTOCOL] = { "", "protocol", 0, SCOLS_JSON_STRING },
                [OUTCOME] = { "", "outcome", 0, SCOLS_JSON_STRING },
                [INSTANCE] = { "", "instance", 0, SCOLS_JSON_STRING },
                [WHY] = { "", "why", 0, SCOLS_JSON_STRING },
                [ROUTE] = { "", "route", 0, SCOLS_JSON_STRING },
                [REASON] = { "", "reason", 0, SCOLS_JSON_STRING },
                [PLACE] = { "", "file", 0, SCOLS_JSON_STRING },
                [LINE] = { "", "line", 0, SCOLS_JSON_NUMBER },
                [AGREE] = { "", "files_agree", 0, SCOLS_JSON_BOOLEAN },
        };
        static const Column text[] = {
                { "PROTOCOL", "", 0, SCOLS_JSON_STRING }, { "ANSWER", "", 0, SCOLS_JSON_STRING },
                { "INSTANCE", "", 0, SCOLS_JSON_STRING }, { "WHY", "", 0, SCOLS_JSON_STRING },
                { "WHERE", "", 0, SCOLS_JSON_STRING },
        };
        Table table = output->json ? table_new(output, "routes", json, COLUMNS)
                                   : table_new(output, "routes", text, ELEMENTSOF(text));

        for (int i = 0; i < PROTOCOLS; i++) {
                if (!answers[i].is.outcome)
                        continue;
                table_add(&table);
                if (output->json)
                        route_fill_json(&table, i, &answers[i].is, &files[i].is);
                else
                        route_fill_text(&table, i, &answers[i].is);
        }
        return table_print(&table);
}

/* Prints a note about ACME challenges for the host. The router's answer may name an instance that
 * the files no longer have. */
static void route_print_acme(const Config *config, const Explanation *answer)
{
        const uint32_t place =
                answer->instance ? config_find_instance(config, answer->instance) : ROUTE_NONE;
        const Instance *instance = place == ROUTE_NONE ? NULL : &config->instances[place];

        /* If the answer has no route, no instance's file has the host, so bellhop-acme gets no
         * certificate for it. */
        if (!instance || instance->tls != TLS_ACME || instance->is_suspended || !answer->route)
                return;
        output_print("\nWhile bellhop-acme gets a certificate, challenges of the authority for %s "
                     "are answered by bellhop itself, not by %s.\n",
                     answer->route, instance->name);
}

/* Prints notes below the table. */
static void route_print_notes(const Ctl *ctl, const Wanted *wanted, const Config *config,
                              const Answer answers[static PROTOCOLS],
                              const Answer files[static PROTOCOLS])
{
        for (int i = 0; i < PROTOCOLS; i++) {
                _cleanup_free_ char *why = NULL;

                if (!answers[i].is.outcome || route_answers_agree(&answers[i].is, &files[i].is))
                        continue;
                why = route_words(&files[i].is);
                output_print("\nThe configuration files were changed, and now give another answer: "
                             "%s%s%s, %s. 'bellhopctl apply' brings the change into force.\n",
                             files[i].is.outcome, files[i].is.instance ? " " : "",
                             files[i].is.instance ? files[i].is.instance : "", why ? why : "");
                break;
        }
        route_print_acme(config, &answers[answers[TLS].is.outcome ? TLS : HTTP].is);
        if (!wanted->is_address && hostmap_has_addresses(config->map))
                output_print("\nA connection to an address in Address= of an instance always goes "
                             "to that instance; see 'bellhopctl route ADDR'.\n");
        for (int i = 0; i < PROTOCOLS; i++) {
                _cleanup_free_ char *path = NULL;

                if (!answers[i].is.outcome || strcmp(answers[i].is.outcome, "hand-off") != 0)
                        continue;
                path = name_path(NAME_HANDOFF_SOCKET, ctl->runtime_dir, answers[i].is.instance);
                if (!path || access(path, F_OK) == 0 || errno != ENOENT)
                        continue;
                output_print("\nThe hand-off socket of %s does not exist, so the connection would "
                             "be refused (unavailable). 'bellhopctl apply' starts it.\n",
                             answers[i].is.instance);
                break;
        }
}

static CtlStatus route_ask_all(const Ctl *ctl, const Wanted *wanted, const Config *config,
                               Answer answers[static PROTOCOLS], Answer files[static PROTOCOLS])
{
        CtlStatus status = CTL_FINE;

        for (int i = 0; i < PROTOCOLS; i++) {
                char room[64];
                const Question question = route_question_of(wanted, i, room);
                int r = 0;

                if ((i == TLS && ctl->only_http) || (i == HTTP && ctl->only_tls))
                        continue;
                route_ask_files(config, &question, &files[i]);
                if (ctl->offline)
                        route_ask_files(config, &question, &answers[i]);
                else
                        r = route_ask_router(ctl, &question, &answers[i]);
                if (r < 0) {
                        output_error("No answer: %s. With --offline, bellhopctl reads the files "
                                     "instead.",
                                     metrics_fetch_explain(r));
                        return CTL_FAILED;
                }
                if (strcmp(answers[i].is.outcome, "refuse") == 0)
                        status = CTL_FAILED;
        }
        return status;
}

static CtlStatus route_answer(const Ctl *ctl, const Wanted *wanted, const Config *config)
{
        Answer answers[PROTOCOLS] = { { .is.outcome = NULL } }, files[PROTOCOLS];
        CtlStatus status;
        Output output;

        memset(files, 0, sizeof(files));
        status = route_ask_all(ctl, wanted, config, answers, files);
        if (!answers[TLS].is.outcome && !answers[HTTP].is.outcome)
                return status;
        output_start(ctl, &output);
        if (route_print(&output, answers, files) < 0)
                status = output_no_memory();
        else if (output.legend && !output.json)
                route_print_notes(ctl, wanted, config, answers, files);
        return output_done(&output, status);
}

CtlStatus verb_route(const Ctl *ctl, char *arguments[])
{
        _cleanup_(config_freep) Config *config = NULL;
        const Span text = span_from_string(arguments[0]);
        Wanted wanted = { .text = arguments[0] };
        Hostname host;
        int r;

        if (ctl->only_tls && ctl->only_http) {
                output_error("Use only one of --tls and --http. Without them, both protocols are "
                             "shown.");
                return CTL_USAGE;
        }
        wanted.is_address = address_parse(text, &wanted.address);
        if (!wanted.is_address && hostname_parse(text, &host) != HOSTNAME_OK) {
                output_error("'%s' is neither a host nor an address. Write, for example, "
                             "alice.example, 192.0.2.7, 192.0.2.7:443 or [2001:db8::7]:443.",
                             arguments[0]);
                return CTL_FAILED;
        }
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);
        if (r < 0)
                return output_bad_configuration(ctl, r);
        return route_answer(ctl, &wanted, config);
}
