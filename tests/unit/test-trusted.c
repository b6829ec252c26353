/* SPDX-License-Identifier: MIT */
/* Tests of TrustedProxy=: trusted addresses, and invalid lists of proxies. */
#include "config-dir.h"

static Config *load(const char *text, size_t n_problems)
{
        Config *config = NULL;

        put("router.conf", text);
        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), 0);
        if (config->n_problems > n_problems)
                fail_msg("%s", config->problems[n_problems].text);
        assert_int_equal(config->n_problems, n_problems);
        return config;
}

/* "+" in front: is trusted; "-": is not. */
static void check(const TrustedProxies *proxies, const char *signed_peer)
{
        Address peer;

        assert_true(address_parse(span_from_string(signed_peer + 1), &peer));
        if (trusted_proxies_have(proxies, &peer) != (signed_peer[0] == '+'))
                fail_msg("%s", signed_peer);
}

static void test_who_is_trusted(void **state)
{
        static const struct {
                const char *value, *peers[6];
        } cases[] = {
                { "192.0.2.7", { "+192.0.2.7", "+192.0.2.7:1", "-192.0.2.6", "-2001:db8::7" } },
                { "192.0.2.0/24", { "+192.0.2.1", "+192.0.2.255", "-192.0.3.0", "-192.0.1.255" } },
                { "192.0.2.8/29", { "+192.0.2.8", "+192.0.2.15", "-192.0.2.7", "-192.0.2.16" } },
                { "128.0.0.0/1", { "+255.0.0.1", "-127.0.0.1", "-8000::1" } },
                { "192.0.2.7/32", { "+192.0.2.7", "-192.0.2.6" } },
                { "2001:db8::/32", { "+2001:db8::7", "+2001:db8:ffff::", "-2001:db9::" } },
                { "2001:db8::7", { "+2001:db8::7", "-2001:db8::6", "-2001:db8::" } },
                { "2001:db8::7/128", { "+2001:db8::7", "-2001:db8::6" } },
                { "2001:db8::/61", { "+2001:db8:0:7::1", "-2001:db8:0:8::1" } },
                { "::ffff:192.0.2.0/120", { "+192.0.2.1", "-192.0.3.0" } },
                { "192.0.2.7 198.51.100.0/24\t::1",
                  { "+192.0.2.7", "+198.51.100.9", "+::1", "-127.0.0.1" } },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = NULL;
                char text[256];

                snprintf(text, sizeof(text), "[Router]\nTrustedProxy=%s\n", cases[i].value);
                config = load(text, 0);
                for (size_t k = 0; cases[i].peers[k]; k++)
                        check(&config->router.trusted_proxies, cases[i].peers[k]);
        }
}

static void test_nobody_by_default(void **state)
{
        _cleanup_config_ Config *config = load("[Router]\n", 0);

        (void)state;
        assert_int_equal(config->router.trusted_proxies.n, 0);
        check(&config->router.trusted_proxies, "-127.0.0.1");
}

/* Lines and files add; an empty value starts anew. */
static void test_lists_add(void **state)
{
        _cleanup_config_ Config *config = NULL, *reset = NULL;

        (void)state;
        put("router.conf.d/a.conf", "[Router]\nTrustedProxy=192.0.2.9\n");
        config = load("[Router]\nTrustedProxy=192.0.2.7\nTrustedProxy=192.0.2.8\n", 0);
        assert_int_equal(config->router.trusted_proxies.n, 3);
        check(&config->router.trusted_proxies, "+192.0.2.7");
        check(&config->router.trusted_proxies, "+192.0.2.9");

        put("router.conf.d/a.conf", "[Router]\nTrustedProxy=\nTrustedProxy=192.0.2.9\n");
        reset = load("[Router]\nTrustedProxy=192.0.2.7\n", 0);
        assert_int_equal(reset->router.trusted_proxies.n, 1);
        check(&reset->router.trusted_proxies, "-192.0.2.7");
}

static void test_errors(void **state)
{
        static const struct {
                const char *value, *problem;
        } cases[] = {
                { "proxy.example",
                  "=proxy.example is not an address or prefix; write 192.0.2.7, " },
                { "192.0.2.7:443", "is not an address or prefix" },
                { "[2001:db8::7]", "is not an address or prefix" },
                { "[2001:db8::]/32", "is not an address or prefix" },
                { "[2001:db8::7]:443", "is not an address or prefix" },
                { "192.0.2", "is not an address or prefix" },
                { "192.0.2.7,192.0.2.8", "is not an address or prefix" },
                { "0.0.0.0", "is not an address or prefix" },
                { "192.0.2.0/", "is not an address or prefix" },
                { "/24", "is not an address or prefix" },
                { "/", "is not an address or prefix" },
                { "192.0.2.0/33", "is not an address or prefix" },
                { "192.0.2.0/024", "is not an address or prefix" },
                { "192.0.2.0/+24", "is not an address or prefix" },
                { "192.0.2.0/24/24", "is not an address or prefix" },
                { "192.0.2.0/255.255.255.0", "is not an address or prefix" },
                { "2001:db8::/129", "is not an address or prefix" },
                { "2001:db8::/4294967328", "is not an address or prefix" },
                { "0.0.0.0/0", "=0.0.0.0/0 would trust everybody; write" },
                { "::/0", "=::/0 would trust everybody" },
                { "192.0.2.7/24", "has bits set after the prefix; write 192.0.2.0/24" },
                { "2001:db8::7/32", "has bits set after the prefix; write 2001:db8::/32" },
                { "::ffff:192.0.2.7/120", "the prefix; write 192.0.2.0/24" },
                { "2001:db8::7/127", "write 2001:db8::6/127" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = NULL;
                char text[256];

                snprintf(text, sizeof(text), "[Router]\n\nTrustedProxy=::1 %s\n", cases[i].value);
                config = load(text, 1);
                if (!strstr(config->problems[0].text, cases[i].problem) ||
                    !strstr(config->problems[0].text, "/router.conf:3: TrustedProxy="))
                        fail_msg("%s, not %s", config->problems[0].text, cases[i].problem);
                /* The file is left out whole. */
                assert_int_equal(config->router.trusted_proxies.n, 0);
        }
}

static void test_too_many(void **state)
{
        _cleanup_config_ Config *all = NULL, *more = NULL;
        char text[8192] = "[Router]\n";
        size_t size = strlen(text);

        (void)state;
        for (unsigned i = 0; i < TRUSTED_PROXIES_MAX; i++)
                size += (size_t)snprintf(text + size, sizeof(text) - size,
                                         "TrustedProxy=192.0.2.%u\n", i);
        all = load(text, 0);
        assert_int_equal(all->router.trusted_proxies.n, TRUSTED_PROXIES_MAX);
        check(&all->router.trusted_proxies, "+192.0.2.255");
        snprintf(text + size, sizeof(text) - size, "TrustedProxy=::1\n");
        more = load(text, 1);
        assert_non_null(
                strstr(more->problems[0].text, ":258: TrustedProxy=::1 is more than the limit"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_who_is_trusted), TEST(test_nobody_by_default), TEST(test_lists_add),
                TEST(test_errors),         TEST(test_too_many),
        };

        return cmocka_run_group_tests_name("trusted", tests, NULL, NULL);
}
