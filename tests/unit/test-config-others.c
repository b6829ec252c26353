/* SPDX-License-Identifier: MIT */
/* Tests of hosts of other instances: of those whose file has a mistake, and what an instance has to
 * know of all of them. */
#include "config-dir.h"

#define HOST(name) "[Instance]\nHost=" name "\n"

static Config *load(void)
{
        Config *config = NULL;

        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), 0);
        return config;
}

/* The file and line of the route, with the instance's name before it; "-": there is none. */
static void assert_origin(const Config *config, const char *host, const char *expected)
{
        char found[DIR_MAX * 2 + 32] = "-";
        HostMapMatch match;
        Hostname name;
        Origin origin;

        assert_int_equal(hostname_parse(span_from_string(host), &name), HOSTNAME_OK);
        match = hostmap_find_host(config->map, &name);
        if (match.route != ROUTE_NONE) {
                origin = config_origin(config, hostmap_route(config->map, match.route).origin);
                assert_int_equal(match.instance == ROUTE_NONE, !origin.instance);
                (void)snprintf(found, sizeof(found), "%s %s:%u",
                               origin.instance ? origin.instance->name : "nobody",
                               strrchr(origin.file, '/') + 1, origin.line);
        }
        if (strcmp(found, expected) != 0)
                fail_msg("%s: %s, not %s", host, found, expected);
}

static void test_mistake_gives_no_host_away(void **state)
{
        static const struct {
                const char *host, *origin;
        } cases[] = {
                { "alice.example", "alice alice.conf:2" },
                { "x.alice.example", "alice alice.conf:3" },
                { "b.alice.example", "nobody bob.conf:2" },
                { "c.alice.example", "nobody carol.conf:3" },
                { "x.c.alice.example", "nobody carol.conf:4" },
                { "n.alice.example", "nobody nosuch.conf:2" },
                { "l.alice.example", "ldap ldap.conf:2" },
                { "r.alice.example", "nobody root.conf:2" },
                { "other.example", "-" },
        };
        _cleanup_config_ Config *config = NULL;
        Address address;

        (void)state;
        put("instances/alice.conf", HOST("alice.example") "Host=*.alice.example\nDefault=yes\n");
        put("instances/bob.conf", HOST("b.alice.example l.alice.example") "IdleSec=soon\n");
        put("instances/carol.conf", "[Instance]\nHost=alice.example\nHost=c.alice.example\n"
                                    "Host=*.c.alice.example\nAddress=192.0.2.7\n");
        put("instances/ldap.conf", HOST("l.alice.example"));
        put("instances/nosuch.conf", HOST("n.alice.example"));
        put("instances/root.conf", HOST("r.alice.example"));
        config = load();
        assert_int_equal(config->n_problems, 4);
        assert_int_equal(config->n_instances, 2);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_origin(config, cases[i].host, cases[i].origin);
        assert_true(address_parse(span_from_string("192.0.2.7"), &address));
        assert_int_equal(hostmap_find_address(config->map, &address).route, ROUTE_NONE);
}

static uint64_t others(const char *name, const char *without)
{
        _cleanup_config_ Config *config = load();
        const uint32_t number = config_find_instance(config, name);

        assert_true(number != ROUTE_NONE);
        config_digest_others(config, without ? config_find_instance(config, without) : ROUTE_NONE);
        return config->instances[number].others;
}

/* Not all mistakes of a file are reported. */
static void test_file_of_mistakes(void **state)
{
        _cleanup_config_ Config *config = NULL;
        char text[4096] = HOST("b.alice.example");

        (void)state;
        for (int i = 0; i < 100; i++)
                strcat(text, "What=this\n");
        put("instances/alice.conf", HOST("*.alice.example"));
        put("instances/bob.conf", text);
        put("instances/carol.conf", HOST("c.alice.example") "IdleSec=soon\n");
        config = load();
        assert_origin(config, "b.alice.example", "nobody bob.conf:2");
        assert_origin(config, "c.alice.example", "nobody carol.conf:2");
}

/* A withheld wildcard hides the wider wildcard of another instance. */
static void test_wildcard_that_is_nobodys(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("*.alice.example"));
        put("instances/bob.conf", HOST("*.b.alice.example") "IdleSec=soon\n");
        put("instances/carol.conf", HOST("c.b.alice.example"));
        config = load();
        assert_origin(config, "x.b.alice.example", "nobody bob.conf:2");
        config_digest_others(config, ROUTE_NONE);
        assert_string_equal(config->instances[0].name, "alice");
        /* *.b.alice.example alone. */
        assert_true(config->instances[0].others != 0);
        put("instances/carol.conf", HOST("carol.example"));
        assert_int_equal(others("alice", NULL), config->instances[0].others);
        assert_int_equal(others("alice", "carol"), config->instances[0].others);
}

static void load_again(Config **config)
{
        Config *next = NULL;

        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, *config, &next), 0);
        config_free(*config);
        *config = next;
}

static void test_mistake_on_reload(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("*.alice.example"));
        put("instances/bob.conf", HOST("b.alice.example"));
        put("instances/carol.conf", HOST("c.alice.example") "IdleSec=soon\n");
        config = load();
        /* bob was in force and stays, carol was not. */
        put("instances/bob.conf", HOST("new.alice.example") "IdleSec=soon\n");
        for (int i = 0; i < 2; i++) {
                load_again(&config);
                assert_origin(config, "b.alice.example", "bob bob.conf:2");
                assert_origin(config, "new.alice.example", "alice alice.conf:2");
                assert_origin(config, "c.alice.example", "nobody carol.conf:2");
        }
        put("instances/carol.conf", HOST("c.alice.example"));
        load_again(&config);
        assert_origin(config, "c.alice.example", "carol carol.conf:2");
}

static void test_digest(void **state)
{
        uint64_t one, two;

        (void)state;
        put("instances/alice.conf", HOST("alice.example *.alice.example"));
        put("instances/bob.conf", HOST("bob.example"));
        assert_int_equal(others("alice", NULL), 0);
        put("instances/bob.conf", HOST("bob.example b.alice.example"));
        one = others("alice", NULL);
        assert_true(one != 0);
        assert_int_equal(others("bob", NULL), 0);
        assert_int_equal(others("alice", "bob"), 0);
        assert_int_equal(others("alice", "nosuch"), one);
        /* It does not matter whose they are, where in the file, and whether it has a mistake. */
        put("instances/bob.conf", HOST("bob.example") "IdleSec=1h\n");
        put("instances/carol.conf", "[Instance]\nNetwork=yes\nHost=b.alice.example\n");
        assert_int_equal(others("alice", NULL), one);
        put("instances/carol.conf", HOST("b.alice.example") "IdleSec=soon\n");
        assert_int_equal(others("alice", NULL), one);
        put("instances/carol.conf", HOST("b.alice.example *.b.alice.example"));
        two = others("alice", NULL);
        assert_true(two != one && two != 0);
        /* Behind a nearer wildcard it is not alice who would get it. */
        put("instances/bob.conf", HOST("bob.example x.b.alice.example"));
        assert_int_equal(others("alice", NULL), two);
        assert_true(others("carol", NULL) != 0);
        assert_true(others("alice", "carol") != two);
}

static void test_digest_of_the_default(void **state)
{
        _cleanup_config_ Config *config = NULL;
        uint64_t one;

        (void)state;
        put("instances/alice.conf", HOST("*.alice.example"));
        put("instances/bob.conf", HOST("b.alice.example"));
        put("instances/carol.conf", HOST("carol.example") "Default=yes\n");
        put("instances/ldap.conf", HOST("ldap.example") "Address=192.0.2.7\n");
        config = load();
        config_digest_others(config, ROUTE_NONE);
        for (size_t i = 0; i < config->n_instances; i++)
                assert_int_equal(config->instances[i].takes_others, i != 1);
        one = others("carol", NULL);
        assert_true(one != 0);
        assert_true(others("carol", "ldap") != one);
        assert_int_equal(others("carol", "bob"), one);
        put("instances/ldap.conf", "[Instance]\nAddress=192.0.2.7\n");
        assert_true(others("carol", NULL) != one);
}

static void test_digest_of_an_address(void **state)
{
        uint64_t one;

        (void)state;
        put("instances/alice.conf", HOST("alice.example") "Address=192.0.2.7\n");
        assert_int_equal(others("alice", NULL), 0);
        put("instances/bob.conf", HOST("bob.example"));
        one = others("alice", NULL);
        assert_true(one != 0);
        assert_int_equal(others("bob", NULL), 0);
        assert_int_equal(others("alice", "bob"), 0);
        /* Another address or a host below bob's wildcard changes nothing for alice. */
        put("instances/bob.conf", HOST("bob.example") "Address=192.0.2.8\n");
        assert_int_equal(others("alice", NULL), one);
        assert_true(others("bob", NULL) != 0);
        put("instances/bob.conf", HOST("bob.example *.bob.example"));
        one = others("alice", NULL);
        put("instances/carol.conf", HOST("carol.bob.example"));
        assert_int_equal(others("alice", NULL), one);
        put("instances/carol.conf", HOST("carol.example"));
        assert_true(others("alice", NULL) != one);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_mistake_gives_no_host_away),
                TEST(test_file_of_mistakes),
                TEST(test_wildcard_that_is_nobodys),
                TEST(test_mistake_on_reload),
                TEST(test_digest),
                TEST(test_digest_of_the_default),
                TEST(test_digest_of_an_address),
        };

        return cmocka_run_group_tests_name("config-others", tests, NULL, NULL);
}
