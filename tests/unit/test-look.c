/* SPDX-License-Identifier: MIT */
/* Tests of a look at a connection: what is asked in which order, and what the answers come to. */
#include "unit.h"

#include "handoff-pair.h"

#include "router/look.h"

#define SNIFF_MAX 64

static bool has_addresses, address_decides, proxy_is_trusted;
static SniffProxy proxy;
static Sniff sniffed;
static Question asked;
static char asked_host[8];
static unsigned n_sniffs, n_decisions;
static Span seen;
static ChallengeType challenge;

/* What look.c calls. */
bool hostmap_has_addresses(const HostMap *map)
{
        return has_addresses;
}

bool decide_address(const Config *config, const Address *local, Decision *ret)
{
        if (address_decides)
                *ret = (Decision){ .reason = BELLHOP_REASON_ADDRESS };
        return address_decides;
}

void decide(const Config *config, const Question *question, Decision *ret)
{
        n_decisions++;
        asked = *question;
        (void)snprintf(asked_host, sizeof(asked_host), "%.*s", (int)asked.host.size,
                       asked.host.data);
        *ret = (Decision){ .kind = DECISION_ROUTE, .instance = 7, .challenge = challenge };
}

bool trusted_proxies_have(const TrustedProxies *proxies, const Address *peer)
{
        return proxy_is_trusted;
}

SniffProxy sniff_proxy(Span in)
{
        return proxy;
}

Sniff sniff(Span in)
{
        n_sniffs++;
        seen = in;
        return sniffed;
}

static int set_up(void **state)
{
        has_addresses = address_decides = proxy_is_trusted = false;
        n_sniffs = n_decisions = 0;
        challenge = CHALLENGE_NONE;
        sniffed = (Sniff){ .outcome = SNIFF_HOST,
                           .protocol = BELLHOP_PROTOCOL_HTTP,
                           .host_length = 1,
                           .host = "a" };
        return 0;
}

/* What a look at a client that has sent this finds. */
static Look look(const char *sent, bool end_of_input)
{
        static uint8_t buffer[SNIFF_MAX];
        Config config = { .router.sniff_max_bytes = SNIFF_MAX, .router.trusted_proxies.n = 1 };
        uint8_t byte;
        int tcp[2];
        Look found;

        tcp_pair(tcp);
        assert_int_equal(send(tcp[0], sent, strlen(sent), 0), strlen(sent));
        /* Loopback has delivered it when send(2) returns. */
        look_at(&config, buffer, tcp[1], end_of_input, &found);
        /* All is still there. */
        if (sent[0])
                assert_int_equal(recv(tcp[1], &byte, 1, MSG_DONTWAIT), 1);
        close_fd(tcp[0]);
        close_fd(tcp[1]);
        return found;
}

static void assert_refused(const Look *found, RefuseReason reason)
{
        assert_int_equal(found->kind, LOOK_DECIDED);
        assert_int_equal(found->decision.kind, DECISION_REFUSE);
        assert_int_equal(found->decision.refuse, reason);
        assert_int_equal(found->decision.instance, ROUTE_NONE);
}

static void test_address(void **state)
{
        Look found;

        address_decides = true;
        found = look("x", false);
        assert_int_equal(n_sniffs, 1); /* no route has one */
        has_addresses = true;
        found = look("", false);
        assert_int_equal(found.kind, LOOK_DECIDED);
        assert_int_equal(found.decision.reason, BELLHOP_REASON_ADDRESS);
        assert_int_equal(found.protocol, BELLHOP_PROTOCOL_UNKNOWN);
        assert_int_equal(n_sniffs, 1); /* not a byte is looked at */
        address_decides = false;
        found = look("x", false);
        assert_int_equal(n_sniffs, 2);
}

static void test_host(void **state)
{
        Look found = look("x", false);

        assert_int_equal(found.kind, LOOK_DECIDED);
        assert_int_equal(found.protocol, BELLHOP_PROTOCOL_HTTP);
        assert_int_equal(found.client, LOOK_CLIENT_PEER);
        assert_int_equal(found.decision.instance, 7);
        assert_false(asked.has_local);
        assert_string_equal(asked_host, "a");
        /* None is a question too, and what the protocol demands is passed on. */
        sniffed.outcome = SNIFF_NO_HOST;
        sniffed.host_length = 0;
        sniffed.host_required = true;
        found = look("x", false);
        assert_int_equal(n_decisions, 2);
        assert_int_equal(asked.host.size, 0);
        assert_true(asked.host_required);
}

static void test_malformed(void **state)
{
        Look found;

        sniffed.outcome = SNIFF_MALFORMED;
        found = look("x", false);
        assert_refused(&found, REFUSE_MALFORMED);
        assert_int_equal(found.protocol, BELLHOP_PROTOCOL_HTTP);
}

static void test_more(void **state)
{
        Look found = look("", false);

        assert_int_equal(found.kind, LOOK_MORE);
        assert_int_equal(found.need_bytes, 1);
        assert_int_equal(n_sniffs, 0);

        sniffed = (Sniff){ .outcome = SNIFF_MORE, .need_bytes = SNIFF_MAX };
        found = look("xy", false);
        assert_int_equal(found.kind, LOOK_MORE);
        assert_int_equal(found.need_bytes, SNIFF_MAX);
        assert_int_equal(found.n_bytes, 2);
        /* There will be no more. */
        found = look("xy", true);
        assert_refused(&found, REFUSE_MALFORMED);
        /* More than is waited for. */
        sniffed.need_bytes = SNIFF_MAX + 1;
        found = look("xy", false);
        assert_refused(&found, REFUSE_TOO_LARGE);
}

static void test_proxy(void **state)
{
        Look found;

        proxy_is_trusted = true;
        proxy = (SniffProxy){ .outcome = SNIFF_PROXY_SOURCE, .size = 3, .source.port = 4711 };
        found = look("abcde", false);
        assert_int_equal(found.client, LOOK_CLIENT_TOLD);
        assert_int_equal(found.told.port, 4711);
        assert_int_equal(found.n_bytes, 5);
        assert_true(span_equals(seen, "de"));
        /* What is needed behind a header counts from the first byte. */
        sniffed = (Sniff){ .outcome = SNIFF_MORE, .need_bytes = SNIFF_MAX - 3 };
        found = look("abcde", false);
        assert_int_equal(found.need_bytes, SNIFF_MAX);
        sniffed.need_bytes++;
        found = look("abcde", false);
        assert_refused(&found, REFUSE_TOO_LARGE);

        proxy = (SniffProxy){ .outcome = SNIFF_PROXY_NO_SOURCE, .size = 3 };
        found = look("abcde", false);
        assert_int_equal(found.client, LOOK_CLIENT_PEER);
        proxy = (SniffProxy){ .outcome = SNIFF_PROXY_MORE, .need_bytes = 9 };
        n_sniffs = 0;
        found = look("abcde", false);
        assert_int_equal(found.client, LOOK_CLIENT_UNKNOWN);
        assert_int_equal(found.need_bytes, 9);
        assert_int_equal(n_sniffs, 0);
        proxy.outcome = SNIFF_PROXY_MALFORMED;
        sniffed.protocol = BELLHOP_PROTOCOL_TLS;
        found = look("abcde", false);
        assert_refused(&found, REFUSE_MALFORMED);
        assert_int_equal(found.protocol, BELLHOP_PROTOCOL_TLS);
}

/* A header and nothing else: the client only wanted to see whether somebody is there. */
static void test_proxy_that_says_no_more(void **state)
{
        Look found;

        proxy_is_trusted = true;
        proxy = (SniffProxy){ .outcome = SNIFF_PROXY_SOURCE, .size = 5 };
        sniffed = (Sniff){ .outcome = SNIFF_MORE, .need_bytes = 1 };
        found = look("abcde", true);
        assert_int_equal(found.kind, LOOK_GONE);
        found = look("abcde", false);
        assert_int_equal(found.kind, LOOK_MORE);
}

/* Where the address decides, one look at what has arrived, which changes nothing. */
static void test_challenge(void **state)
{
        static uint8_t buffer[SNIFF_MAX];
        const Config config = { .router.sniff_max_bytes = SNIFF_MAX };
        const Look look = { .decision.instance = 7 }, other = { .decision.instance = 8 };
        int tcp[2];
        Look found;

        tcp_pair(tcp);
        challenge = CHALLENGE_TLS;
        assert_false(look_for_challenge(&config, buffer, tcp[1], &look, &found));
        assert_int_equal(n_sniffs, 0);
        assert_int_equal(send(tcp[0], "x", 1, 0), 1);
        assert_true(look_for_challenge(&config, buffer, tcp[1], &look, &found));
        assert_int_equal(found.decision.challenge, CHALLENGE_TLS);
        assert_false(asked.has_local);
        assert_false(look_for_challenge(&config, buffer, tcp[1], &other, &found));
        challenge = CHALLENGE_NONE;
        assert_false(look_for_challenge(&config, buffer, tcp[1], &look, &found));
        challenge = CHALLENGE_TLS;
        sniffed = (Sniff){ .outcome = SNIFF_MORE, .need_bytes = 2 };
        assert_false(look_for_challenge(&config, buffer, tcp[1], &look, &found));
        sniffed.outcome = SNIFF_MALFORMED;
        assert_false(look_for_challenge(&config, buffer, tcp[1], &look, &found));
        close_fd(tcp[0]);
        close_fd(tcp[1]);
}

static void test_gone(void **state)
{
        static uint8_t buffer[SNIFF_MAX];
        const Config config = { .router.sniff_max_bytes = SNIFF_MAX };
        int tcp[2];
        Look found;

        tcp_pair(tcp);
        close_fd(tcp[0]);
        look_at(&config, buffer, tcp[1], false, &found);
        assert_int_equal(found.kind, LOOK_GONE);
        close_fd(tcp[1]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_address, set_up),
                cmocka_unit_test_setup(test_host, set_up),
                cmocka_unit_test_setup(test_malformed, set_up),
                cmocka_unit_test_setup(test_more, set_up),
                cmocka_unit_test_setup(test_proxy, set_up),
                cmocka_unit_test_setup(test_proxy_that_says_no_more, set_up),
                cmocka_unit_test_setup(test_challenge, set_up),
                cmocka_unit_test_setup(test_gone, set_up),
        };

        return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
