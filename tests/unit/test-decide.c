/* SPDX-License-Identifier: MIT */
/* Tests of what becomes of a connection. */
#include "unit.h"

#include "decide/decide.h"

enum { ALICE, BOB, CAROL, DAVE, ERIN, FRANK };

static Instance instances[] = {
        [ALICE] = { .http = HTTP_SERVE },
        [BOB] = { .http = HTTP_REDIRECT },
        [CAROL] = { .http = HTTP_REFUSE },
        [DAVE] = { .http = HTTP_REFUSE, .is_suspended = true },
        [ERIN] = { .http = HTTP_REDIRECT, .is_suspended = true, .tls = TLS_ACME },
        [FRANK] = { .http = HTTP_REFUSE, .tls = TLS_ACME },
};

static Address address_of(const char *text)
{
        Address address;

        assert_true(address_parse(span_from_string(text), &address));
        return address;
}

static Config *config_with(uint32_t default_instance)
{
        static Config config = { .instances = instances, .n_instances = ELEMENTSOF(instances) };
        const Address address = address_of("192.0.2.7:443");
        uint64_t other;

        config.default_instance = default_instance;
        if (config.map)
                return &config;
        config.map = hostmap_new();
        assert_int_equal(hostmap_add_host(config.map, "alice.example", ALICE, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "*.alice.example", ALICE, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "bob.example", BOB, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "carol.example", CAROL, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "*.erin.example", ERIN, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "frank.example", FRANK, 0, &other), 0);
        assert_int_equal(hostmap_add_host(config.map, "withheld.alice.example", ROUTE_NONE, 0,
                                          &other),
                         0);
        assert_int_equal(hostmap_add_address(config.map, &address, DAVE, 0, &other), 0);
        return &config;
}

#define TLS  BELLHOP_PROTOCOL_TLS
#define HTTP BELLHOP_PROTOCOL_HTTP

#define ROUTED(instance, why) DECISION_ROUTE, 0, (instance), BELLHOP_REASON_##why
#define REFUSED(reason)       DECISION_REFUSE, REFUSE_##reason, ROUTE_NONE, 0
#define REDIRECTED            DECISION_REDIRECT, 0, BOB, BELLHOP_REASON_HOST
#define CHALLENGE             "/.well-known/acme-challenge/x"

typedef struct Case {
        uint32_t default_instance;
        enum bellhop_protocol protocol;
        const char *host;
        bool host_required;
        const char *path;
        DecisionKind kind;
        RefuseReason refuse;
        uint32_t instance;
        int reason;
        const char *canonical;
} Case;

static const Case cases[] = {
        { ROUTE_NONE, TLS, "alice.example", 0, "", ROUTED(ALICE, SERVER_NAME), "alice.example" },
        { ROUTE_NONE, HTTP, "Alice.Example.:80", 1, "/", ROUTED(ALICE, HOST), "alice.example" },
        { ROUTE_NONE, HTTP, "x.alice.example", 0, "/", ROUTED(ALICE, HOST), "x.alice.example" },
        /* Http=, which is for plain HTTP with a host alone. */
        { ROUTE_NONE, TLS, "bob.example", 0, "", ROUTED(BOB, SERVER_NAME), "bob.example" },
        { ROUTE_NONE, HTTP, "bob.example", 1, "/a", REDIRECTED, "bob.example" },
        { ROUTE_NONE, HTTP, "bob.example", 1, "", REDIRECTED, "bob.example" },
        { ROUTE_NONE, HTTP, "bob.example", 1, CHALLENGE, ROUTED(BOB, HOST), "bob.example" },
        { ROUTE_NONE, TLS, "carol.example", 0, "", ROUTED(CAROL, SERVER_NAME), "carol.example" },
        { ROUTE_NONE, HTTP, "carol.example", 1, "/", DECISION_REFUSE, REFUSE_PLAIN_HTTP, CAROL,
          BELLHOP_REASON_HOST, "carol.example" },
        { ROUTE_NONE, HTTP, "carol.example", 1, CHALLENGE, ROUTED(CAROL, HOST), "carol.example" },
        { ROUTE_NONE, HTTP, "carol.example", 1, "/x" CHALLENGE, DECISION_REFUSE, REFUSE_PLAIN_HTTP,
          CAROL, BELLHOP_REASON_HOST, "carol.example" },
        /* For servers, these are the paths of other pages. */
        { ROUTE_NONE, HTTP, "carol.example", 1, CHALLENGE "/../../../index.php", DECISION_REFUSE,
          REFUSE_PLAIN_HTTP, CAROL, BELLHOP_REASON_HOST, "carol.example" },
        { ROUTE_NONE, HTTP, "carol.example", 1, CHALLENGE "%2f..", DECISION_REFUSE,
          REFUSE_PLAIN_HTTP, CAROL, BELLHOP_REASON_HOST, "carol.example" },
        { CAROL, HTTP, "nobody.test", 1, "/", DECISION_REFUSE, REFUSE_PLAIN_HTTP, CAROL,
          BELLHOP_REASON_DEFAULT, "nobody.test" },
        { CAROL, HTTP, "192.0.2.1", 1, "/", ROUTED(CAROL, DEFAULT), "" },
        { CAROL, HTTP, "", 0, "", ROUTED(CAROL, DEFAULT), "" },
        /* Suspended=, before Http=; over TLS, the instance says it. */
        { ROUTE_NONE, HTTP, "a.erin.example", 1, "/", DECISION_REFUSE, REFUSE_SUSPENDED, ERIN,
          BELLHOP_REASON_HOST, "a.erin.example" },
        { ROUTE_NONE, HTTP, "a.erin.example", 1, CHALLENGE, DECISION_REFUSE, REFUSE_SUSPENDED, ERIN,
          BELLHOP_REASON_HOST, "a.erin.example" },
        { ERIN, HTTP, "nobody.test", 1, "/", DECISION_REFUSE, REFUSE_SUSPENDED, ERIN,
          BELLHOP_REASON_DEFAULT, "nobody.test" },
        { ROUTE_NONE, TLS, "a.erin.example", 0, "", ROUTED(ERIN, SERVER_NAME), "a.erin.example" },
        { ERIN, TLS, "nobody.test", 0, "", ROUTED(ERIN, DEFAULT), "nobody.test" },
        /* No route, with and without default. */
        { ROUTE_NONE, TLS, "nobody.test", 0, "", REFUSED(UNKNOWN_HOST), "nobody.test" },
        { ALICE, TLS, "nobody.test", 0, "", ROUTED(ALICE, DEFAULT), "nobody.test" },
        { ROUTE_NONE, HTTP, "192.0.2.1", 1, "/", REFUSED(UNKNOWN_HOST), "" },
        { ALICE, HTTP, "[2001:db8::1]:80", 1, "/", ROUTED(ALICE, DEFAULT), "" },
        /* In a file with a mistake. */
        { ALICE, TLS, "withheld.alice.example", 0, "", REFUSED(UNKNOWN_HOST),
          "withheld.alice.example" },
        { ALICE, HTTP, "withheld.alice.example", 1, "/", REFUSED(UNKNOWN_HOST),
          "withheld.alice.example" },
        /* No host. */
        { ROUTE_NONE, TLS, "", 0, "", REFUSED(NO_HOST), "" },
        { ALICE, TLS, "", 0, "", ROUTED(ALICE, DEFAULT), "" },
        { ROUTE_NONE, HTTP, "", 0, "", REFUSED(NO_HOST), "" },
        { ALICE, HTTP, "", 0, "", ROUTED(ALICE, DEFAULT), "" },
        { ALICE, HTTP, "", 1, "", REFUSED(NO_HOST), "" },
        { ALICE, HTTP, ":80", 0, "/", REFUSED(NO_HOST), "" },
        /* Not a host, which is never the default's. */
        { ALICE, TLS, "a..b", 0, "", REFUSED(UNKNOWN_HOST), "" },
        { ALICE, HTTP, "a..b", 1, "/", REFUSED(MALFORMED), "" },
        { ALICE, HTTP, "alice.example:99999", 1, "/", REFUSED(MALFORMED), "" },
        { ALICE, TLS, "bob.example:99999", 0, "", REFUSED(UNKNOWN_HOST), "" },
        { ALICE, TLS, "bob.example:", 0, "", REFUSED(UNKNOWN_HOST), "" },
        /* A port behind a server name, but not within an address. */
        { ALICE, TLS, "bob.example:443", 0, "", ROUTED(BOB, SERVER_NAME), "bob.example" },
        { ALICE, TLS, "nobody.test:443", 0, "", ROUTED(ALICE, DEFAULT), "nobody.test" },
        { ROUTE_NONE, TLS, "nobody.test:443", 0, "", REFUSED(UNKNOWN_HOST), "nobody.test" },
        { ALICE, TLS, "2001:db8::443", 0, "", ROUTED(ALICE, DEFAULT), "" },
        { ALICE, TLS, "[2001:db8::1]:443", 0, "", ROUTED(ALICE, DEFAULT), "" },
        { ALICE, TLS, "192.0.2.1:443", 0, "", ROUTED(ALICE, DEFAULT), "" },
};

static void test_hosts(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Case *c = &cases[i];
                const Question question = { .protocol = c->protocol,
                                            .host = span_from_string(c->host),
                                            .host_required = c->host_required,
                                            .path = span_from_string(c->path) };
                Decision decision;

                decide(config_with(c->default_instance), &question, &decision);
                if (decision.kind != c->kind || decision.refuse != c->refuse ||
                    decision.instance != c->instance || (int)decision.reason != c->reason ||
                    strcmp(decision.host.name, c->canonical) != 0)
                        fail_msg("case %zu, '%s': %d %d %u %d '%s'", i, c->host, (int)decision.kind,
                                 (int)decision.refuse, decision.instance, (int)decision.reason,
                                 decision.host.name);
        }
}

/* The address comes before the host, and Http= does not apply. */
static void test_address(void **state)
{
        Question question = { .protocol = HTTP,
                              .host = span_from_string("bob.example"),
                              .has_local = true,
                              .local = address_of("192.0.2.7:443") };
        Decision decision;

        assert_true(decide_address(config_with(ALICE), &question.local, &decision));
        assert_int_equal(decision.kind, DECISION_ROUTE);
        assert_int_equal(decision.instance, DAVE);
        assert_int_equal(decision.reason, BELLHOP_REASON_ADDRESS);
        assert_string_equal(decision.host.name, "");

        decide(config_with(ALICE), &question, &decision);
        assert_int_equal(decision.instance, DAVE);
        assert_int_equal(decision.kind, DECISION_ROUTE);

        question.local.port = 80;
        assert_false(decide_address(config_with(ALICE), &question.local, &decision));
        decide(config_with(ALICE), &question, &decision);
        assert_int_equal(decision.instance, BOB);
        assert_int_equal(decision.kind, DECISION_REDIRECT);
}

/* Which connections may be about a challenge, and that all else stays as it is. */
static void test_challenges(void **state)
{
        static const struct {
                const char *host, *method, *path; /* method "": over TLS */
                bool offers_acme;
                ChallengeType challenge;
                const char *token;
        } questions[] = {
                { "Frank.Example:80", "GET", CHALLENGE, false, CHALLENGE_HTTP, "x" },
                { "frank.example", "HEAD", CHALLENGE "-_09AZaz", false, CHALLENGE_HTTP,
                  "x-_09AZaz" },
                { "frank.example", "POST", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "frank.example", "get", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", CHALLENGE "?q", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", CHALLENGE "/", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", CHALLENGE ".", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", CHALLENGE "%41", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", CHALLENGE "=", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", "/.well-known/acme-challenge/", false, CHALLENGE_NONE,
                  "" },
                { "frank.example", "GET", "/", false, CHALLENGE_NONE, "" },
                { "frank.example", "GET", "", false, CHALLENGE_NONE, "" },
                { "frank.example", "", "", true, CHALLENGE_TLS, "" },
                { "frank.example", "", "", false, CHALLENGE_NONE, "" },
                /* Others', those of a suspended one, and what only the default would get. */
                { "alice.example", "GET", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "alice.example", "", "", true, CHALLENGE_NONE, "" },
                { "a.erin.example", "GET", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "a.erin.example", "", "", true, CHALLENGE_NONE, "" },
                { "withheld.alice.example", "", "", true, CHALLENGE_NONE, "" },
                { "nobody.test", "GET", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "nobody.test", "", "", true, CHALLENGE_NONE, "" },
                { "192.0.2.1", "GET", CHALLENGE, false, CHALLENGE_NONE, "" },
                { "", "", "", true, CHALLENGE_NONE, "" },
        };
        char longest[sizeof(CHALLENGE) + CHALLENGE_TOKEN_MAX];
        Question question = { .protocol = HTTP,
                              .host = span_from_string("frank.example"),
                              .method = span_from_string("GET") };
        Decision decision;

        for (size_t i = 0; i < ELEMENTSOF(questions); i++) {
                const Question asked = {
                        .protocol = questions[i].method[0] ? HTTP : TLS,
                        .host = span_from_string(questions[i].host),
                        .method = span_from_string(questions[i].method),
                        .path = span_from_string(questions[i].path),
                        .offers_acme = questions[i].offers_acme,
                };

                decide(config_with(FRANK), &asked, &decision);
                if (decision.challenge != questions[i].challenge ||
                    decision.token.size != strlen(questions[i].token) ||
                    (decision.token.size > 0 && !span_equals(decision.token, questions[i].token)))
                        fail_msg("question %zu: %d '%.*s'", i, (int)decision.challenge,
                                 (int)decision.token.size, (const char *)decision.token.data);
                if (questions[i].challenge != CHALLENGE_NONE)
                        assert_int_equal(decision.kind, DECISION_ROUTE);
        }
        memset(longest, 'x', sizeof(longest));
        memcpy(longest, CHALLENGE, strlen(CHALLENGE));
        question.path =
                (Span){ (const uint8_t *)longest, strlen(CHALLENGE) - 1 + CHALLENGE_TOKEN_MAX };
        decide(config_with(ROUTE_NONE), &question, &decision);
        assert_int_equal(decision.challenge, CHALLENGE_HTTP);
        assert_int_equal(decision.token.size, CHALLENGE_TOKEN_MAX);
        question.path.size++;
        decide(config_with(ROUTE_NONE), &question, &decision);
        assert_int_equal(decision.challenge, CHALLENGE_NONE);
}

/* The longest path that is redirected still has a reply, with the longest host; one more does not.
 */
static void test_redirect_of_a_long_path(void **state)
{
        static char path[2 * DECIDE_REDIRECT_MAX];
        Question question = { .protocol = HTTP,
                              .host = span_from_string("bob.example"),
                              .path = { (const uint8_t *)path, sizeof(path) } };
        char reply[DECIDE_REDIRECT_MAX];
        Decision decision;

        memset(path, 'x', sizeof(path));
        path[0] = '/';
        do {
                question.path.size--;
                decide(config_with(ROUTE_NONE), &question, &decision);
                if (decision.kind == DECISION_REFUSE) {
                        assert_int_equal(decision.refuse, REFUSE_TOO_LARGE);
                        assert_int_equal(decision.instance, BOB);
                }
        } while (decision.kind == DECISION_REFUSE);
        assert_in_range(question.path.size, DECIDE_REDIRECT_MAX / 2, DECIDE_REDIRECT_MAX);
        memset(decision.host.name, 'h', HOSTNAME_MAX);
        decision.host.name[HOSTNAME_MAX] = 0;
        assert_in_range(decide_redirect(&decision, span_from_string("POST"), question.path, reply),
                        question.path.size + HOSTNAME_MAX, DECIDE_REDIRECT_MAX - 1);
}

static void test_redirect(void **state)
{
        static const struct {
                const char *method, *path, *status, *location;
        } replies[] = {
                { "GET", "/a?b", "301 Moved Permanently", "/a?b" },
                { "HEAD", "", "301 Moved Permanently", "/" },
                { "POST", "?q", "308 Permanent Redirect", "/?q" },
                { "OPTIONS", "*", "308 Permanent Redirect", "/" },
        };

        for (size_t i = 0; i < ELEMENTSOF(replies); i++) {
                const Decision decision = { .host.name = "bob.example" };
                char reply[DECIDE_REDIRECT_MAX], expected[256];

                snprintf(expected, sizeof(expected),
                         "HTTP/1.1 %s\r\nLocation: https://bob.example%s\r\n"
                         "Content-Length: 0\r\nConnection: close\r\n\r\n",
                         replies[i].status, replies[i].location);
                assert_int_equal(decide_redirect(&decision, span_from_string(replies[i].method),
                                                 span_from_string(replies[i].path), reply),
                                 strlen(expected));
                assert_string_equal(reply, expected);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_hosts),
                cmocka_unit_test(test_address),
                cmocka_unit_test(test_challenges),
                cmocka_unit_test(test_redirect),
                cmocka_unit_test(test_redirect_of_a_long_path),
        };

        return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
