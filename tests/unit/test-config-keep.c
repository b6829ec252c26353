/* SPDX-License-Identifier: MIT */
/* Tests of a configuration that is read anew: what has become bad stays as it was. */
#include "config-dir.h"

#define HOST(name) "[Instance]\nHost=" name "\n"

static void remove_conf(const char *name)
{
        char path[DIR_MAX * 2], file[64];

        snprintf(file, sizeof(file), "instances/%s.conf", name);
        in_dir(path, file);
        assert_int_equal(unlink(path), 0);
}

static void change_user(const char *name, const char *new_name, uid_t uid)
{
        for (size_t i = 0; i < ELEMENTSOF(fake_users); i++)
                if (strcmp(fake_users[i].name, name) == 0) {
                        snprintf(fake_users[i].name, sizeof(fake_users[i].name), "%s", new_name);
                        fake_users[i].uid = uid;
                        return;
                }
        fail();
}

/* Reads it anew; the one before is freed, as a router does it. */
static void load_again(Config **config, size_t n_problems, size_t n_kept)
{
        Config *next = NULL;

        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, *config, &next), 0);
        config_free(*config);
        *config = next;
        if (next->n_problems > n_problems)
                fail_msg("%s", next->problems[n_problems].text);
        assert_int_equal(next->n_problems, n_problems);
        assert_int_equal(next->n_kept, n_kept);
}

static void assert_host(const Config *config, const char *host, const char *expected)
{
        uint32_t instance;
        Hostname name;

        assert_int_equal(hostname_parse(span_from_string(host), &name), HOSTNAME_OK);
        instance = hostmap_find_host(config->map, &name).instance;
        if (instance == ROUTE_NONE)
                instance = config->default_instance;
        if (instance == ROUTE_NONE)
                assert_string_equal(expected, "-");
        else
                assert_string_equal(config->instances[instance].name, expected);
}

static void assert_address(const Config *config, const char *text, const char *expected)
{
        Address address;

        assert_true(address_parse(span_from_string(text), &address));
        assert_string_equal(
                config->instances[hostmap_find_address(config->map, &address).instance].name,
                expected);
}

/* In the order of names, and with all settings, whatever became of its neighbours. */
static void test_instance_stays(void **state)
{
        const Instance *bob;
        Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example") "Host=*.wild.example\nAddress=192.0.2.7:443\n"
                                                      "Default=yes\nIdleSec=7\nNetwork=yes\n");
        put("instances/carol.conf", HOST("carol.example"));
        load_again(&config, 0, 0);
        put("instances/a.conf", HOST("a.example"));
        put("instances/a-b.conf", HOST("a-b.example"));
        for (int i = 0; i < 3; i++) {
                put("instances/bob.conf", i == 1 ? "junk\n" : HOST("b@b.example"));
                load_again(&config, 1, 1);
                assert_int_equal(config->n_instances, 5);
                for (size_t j = 1; j < config->n_instances; j++)
                        assert_true(strcmp(config->instances[j - 1].name,
                                           config->instances[j].name) < 0);
                assert_host(config, "bob.example", "bob");
                assert_host(config, "x.wild.example", "bob");
                assert_host(config, "none.example", "bob");
                assert_host(config, "a.example", "a");
                assert_host(config, "a-b.example", "a-b");
                assert_host(config, "carol.example", "carol");
                assert_address(config, "192.0.2.7:443", "bob");
                bob = &config->instances[config_find_instance(config, "bob")];
                assert_true(bob->is_default && bob->network && bob->idle_usec == 7000000);
        }
        put("instances/bob.conf", HOST("new.example"));
        load_again(&config, 0, 0);
        assert_host(config, "bob.example", "-");
        assert_host(config, "new.example", "bob");
        config_free(config);
}

/* A route that another instance has now belongs to that; the problem names both positions. */
static void test_others_come_first(void **state)
{
        Config *config = NULL;

        (void)state;
        put("instances/bob.conf",
            HOST("bob.example shared.example *.wild.example") "Address=192.0.2.7\nDefault=yes\n");
        load_again(&config, 0, 0);
        put("instances/bob.conf", "junk\n");
        put("instances/alice.conf", HOST("*.wild.example") "Default=yes\n");
        put("instances/carol.conf", "[Instance]\nHost=carol.example\nHost=shared.example\n"
                                    "Address=192.0.2.7\n");
        load_again(&config, 4, 1);
        assert_non_null(
                strstr(config->problems[1].text, "bob.conf: shared.example now leads to carol"));
        assert_non_null(strstr(config->problems[1].text, "carol.conf:3); this"));
        assert_non_null(strstr(config->problems[2].text, "*.wild.example now leads to alice"));
        assert_non_null(strstr(config->problems[3].text, "192.0.2.7 now leads to carol"));
        assert_host(config, "shared.example", "carol");
        assert_host(config, "x.wild.example", "alice");
        assert_host(config, "none.example", "alice");
        assert_host(config, "bob.example", "bob");
        assert_false(config->instances[config_find_instance(config, "bob")].is_default);
        /* What it has lost does not come back by itself: that goes to the default now. */
        remove_conf("carol");
        load_again(&config, 1, 1);
        assert_host(config, "shared.example", "alice");
        config_free(config);
}

/* A slip in one file takes from another only what it names. */
static void test_conflict_keeps_the_rest(void **state)
{
        Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example shared.example"));
        load_again(&config, 0, 0);
        put("instances/alice.conf", HOST("alice.example shared.example"));
        load_again(&config, 2, 1);
        assert_non_null(strstr(config->problems[0].text, "bob.conf:2: shared.example already"));
        assert_host(config, "shared.example", "alice");
        assert_host(config, "bob.example", "bob");
        config_free(config);
}

static void test_removed_and_new(void **state)
{
        Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example"));
        load_again(&config, 0, 0);
        remove_conf("alice");
        put("instances/carol.conf", "junk\n");
        load_again(&config, 1, 0);
        assert_int_equal(config->n_instances, 1);
        assert_host(config, "alice.example", "-");
        config_free(config);
}

/* A missing user in the user database keeps the instance; a user that is now root does not. */
static void test_users_that_change(void **state)
{
        Config *config = NULL;

        (void)state;
        put("instances/ldap.conf", HOST("ldap.example"));
        put("instances/carol.conf", HOST("carol.example"));
        load_again(&config, 0, 0);
        change_user("ldap", "was-ldap", 2007);
        change_user("carol", "carol", 0);
        load_again(&config, 2, 1);
        change_user("was-ldap", "ldap", 2007);
        change_user("carol", "carol", 2005);
        assert_host(config, "ldap.example", "ldap");
        assert_host(config, "carol.example", "-");
        config_free(config);
}

static void test_router_settings_stay(void **state)
{
        Config *config = NULL;

        (void)state;
        put("router.conf", "[Router]\nPendingMax=7\n");
        put("router.conf.d/a.conf", "[Router]\nSniffTimeoutSec=7\n");
        load_again(&config, 0, 0);
        assert_false(config->settings_kept);
        put("router.conf", "[Router]\nPendingMax=8\n");
        put("router.conf.d/a.conf", "[Router]\nSniffTimeoutSec=8\nJunk=1\n");
        load_again(&config, 1, 0);
        assert_true(config->settings_kept);
        assert_int_equal(config->router.pending_max, 7);
        assert_int_equal(config->router.sniff_timeout_usec, 7000000);
        /* A bad instance says nothing about them. */
        put("router.conf.d/a.conf", "");
        put("instances/alice.conf", "junk\n");
        load_again(&config, 1, 0);
        assert_false(config->settings_kept);
        assert_int_equal(config->router.pending_max, 8);
        config_free(config);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_instance_stays),          TEST(test_others_come_first),
                TEST(test_conflict_keeps_the_rest), TEST(test_removed_and_new),
                TEST(test_users_that_change),       TEST(test_router_settings_stay),
        };

        return cmocka_run_group_tests_name("config-keep", tests, NULL, NULL);
}
