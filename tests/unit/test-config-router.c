/* SPDX-License-Identifier: MIT */
/* Tests of the router's own settings, and of the view of one instance. */
#include "config-dir.h"

#include <sys/inotify.h>

#define HOST(name) "[Instance]\nHost=" name "\n"

static Config *load(size_t n_problems)
{
        Config *config = NULL;

        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), 0);
        if (config->n_problems > n_problems)
                fail_msg("%s", config->problems[n_problems].text);
        assert_int_equal(config->n_problems, n_problems);
        return config;
}

static void test_router_settings(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("router.conf", "# comment\n[Router]\nSniffTimeoutSec=1min 500ms\nSniffMaxBytes=4K\n"
                           "PendingMax=1\nStartingMax=7\n");
        config = load(0);
        assert_int_equal(config->router.sniff_timeout_usec, 60500000);
        assert_int_equal(config->router.sniff_max_bytes, 4096);
        assert_int_equal(config->router.pending_max, 1);
        assert_int_equal(config->router.starting_max, 7);
}

/* By name without the suffix and without a locale, after router.conf; the last word counts. */
static void test_drop_in_order(void **state)
{
        static const char *const files[] = { "router.conf",
                                             "router.conf.d/10-b.conf",
                                             "router.conf.d/9.conf",
                                             "router.conf.d/B.conf",
                                             "router.conf.d/_.conf",
                                             "router.conf.d/a.conf",
                                             "router.conf.d/a-b.conf",
                                             "router.conf.d/b.conf" };

        (void)state;
        put("router.conf.d/.z.conf", "[Router]\nPendingMax=1000\n");
        put("router.conf.d/z.conf.bak", "[Router]\nPendingMax=1001\n");
        for (unsigned i = 0; i < ELEMENTSOF(files); i++) {
                _cleanup_config_ Config *config = NULL;
                char text[64];

                snprintf(text, sizeof(text), "[Router]\nPendingMax=%u\nSniffTimeoutSec=%u\n", i + 1,
                         ELEMENTSOF(files) > i + 1 ? 5U : 6U);
                put(files[i], text);
                config = load(0);
                assert_int_equal(config->router.pending_max, i + 1);
        }
        for (unsigned i = 0; i < ELEMENTSOF(files) - 1; i++) {
                _cleanup_config_ Config *config = NULL;

                put(files[i], "[Router]\nPendingMax=99\nSniffMaxBytes=8K\n");
                config = load(0);
                assert_int_equal(config->router.pending_max, ELEMENTSOF(files));
                assert_int_equal(config->router.sniff_timeout_usec, 6000000);
                assert_int_equal(config->router.sniff_max_bytes, 8192);
        }
}

static void test_router_errors(void **state)
{
        static const struct {
                const char *text, *problem;
        } cases[] = {
                { "[Router]\nSniffTimeoutSec=0\n",
                  "router.conf:2: SniffTimeoutSec=0 is out of range; it must be more than 0" },
                { "[Router]\nSniffMaxBytes=4095\n",
                  "router.conf:2: SniffMaxBytes=4095 is out of range; it must be from 4K to 1M" },
                { "[Router]\nSniffMaxBytes=1025K\n",
                  "router.conf:2: SniffMaxBytes=1025K is out of range" },
                { "[Router]\nPendingMax=0\n",
                  "router.conf:2: PendingMax=0 is out of range; it must be more than 0" },
                { "[Router]\nPendingMaxPerInstance=0\n",
                  "PendingMaxPerInstance=0 is out of range" },
                { "[Router]\nHandoffTimeoutSec=0\n", "HandoffTimeoutSec=0 is out of range" },
                { "[Router]\nSourcePrefixIPv4=33\n",
                  "SourcePrefixIPv4=33 is out of range; it must be at most 32" },
                { "[Router]\nSourcePrefixIPv6=129\n", "it must be at most 128" },
                { "[Router]\nInFlightMaxPerInstance=65537\n", "it must be at most 65536" },
                { "[Router]\nPendingMax=-1\n",
                  "router.conf:2: PendingMax=-1 is not a whole number" },
                { "[Router]\nStartingMax=some\n", "StartingMax=some is not a whole number" },
                { "[Router]\nPendingMax=\n", "router.conf:2: PendingMax= is not a whole number" },
                { "[Router]\nPendingMax=16K\n", "router.conf:2: PendingMax=16K is not a whole" },
                { "[Router]\nSniffMaxBytes=1g\n", "router.conf:2: SniffMaxBytes=1g is not a size" },
                { "[Router]\nSniffTimeoutSec=x\n",
                  "router.conf:2: SniffTimeoutSec=x is not a time" },
                { "[Router]\nHost=a\n",
                  "known keys are SniffTimeoutSec= SniffMaxBytes= HandoffTimeoutSec= PendingMax=" },
                { "[Instance]\nHost=a\n",
                  "router.conf:1: unknown section [Instance]; write [Router]" },
                { "PendingMax=1\n", "router.conf:1: PendingMax= is before any section" },
                { "[Router]\r\n", "router.conf:1: the line ends in CR LF" },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = NULL;

                put("router.conf", cases[i].text);
                config = load(1);
                if (strstr(config->problems[0].text, cases[i].problem) == NULL)
                        fail_msg("%s, not %s", config->problems[0].text, cases[i].problem);
        }
}

static void test_router_limits(void **state)
{
        static const char *const good[] = {
                "[Router]\nSniffMaxBytes=4096\n",
                "[Router]\nSniffMaxBytes=1M\n",
                "[Router]\nSniffTimeoutSec=1us\n",
                "[Router]\nPendingMaxPerSource=0\nStartingMax=0\nInFlightMaxPerInstance=0\n",
                "[Router]\nInFlightMaxPerInstance=65536\nSourcePrefixIPv4=32\n",
                "[Router]\nSourcePrefixIPv6=128\n",
                "[Router]\n",
                ""
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(good); i++) {
                put("router.conf", good[i]);
                (void)config_free(load(0));
        }
}

/* A file with an error is left out whole; the others count, and so do the instances. */
static void test_bad_drop_in(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("router.conf", "[Router]\nPendingMax=5\n");
        put("router.conf.d/1.conf", "[Router]\nSniffMaxBytes=8K\n");
        put("router.conf.d/2.conf", "[Router]\nPendingMax=6\nFoo=1\nSniffMaxBytes=9K\n");
        put("router.conf.d/3.conf", "[Router]\nPendingMax=7\nSniffTimeoutSec=0\n");
        put("router.conf.d/4.conf", "[Router]\nSniffTimeoutSec=3\n");
        put("instances/alice.conf", HOST("alice.example"));
        config = load(2);
        assert_non_null(strstr(config->problems[0].text, "router.conf.d/2.conf:3: "));
        assert_non_null(strstr(config->problems[1].text, "router.conf.d/3.conf:3: Sniff"));
        assert_int_equal(config->router.pending_max, 5);
        assert_int_equal(config->router.sniff_max_bytes, 8192);
        assert_int_equal(config->router.sniff_timeout_usec, 3000000);
        assert_int_equal(config->n_instances, 1);
}

/* Which files below instances/ are opened while the view of one instance is made, one behind the
 * other. */
static Config *load_instance(const char *name, int expected, char ret_opened[static 256])
{
        char path[DIR_MAX * 2], events[4096] __attribute__((aligned(__alignof__(int))));
        _cleanup_close_ int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        uint32_t instance = 4711;
        Config *config = NULL;
        size_t used = 0;
        ssize_t n;

        in_dir(path, "instances");
        assert_true(inotify_add_watch(watch, path, IN_OPEN) >= 0);
        assert_int_equal(config_load_instance(dir, name, &config, &instance), expected);
        assert_non_null(config);
        assert_int_equal(instance, config_find_instance(config, name));
        assert_int_equal(instance == ROUTE_NONE, expected == -ENOENT);

        ret_opened[0] = 0;
        n = read(watch, events, sizeof(events));
        for (ssize_t at = 0; at < n;) {
                struct inotify_event event;

                memcpy(&event, events + at, sizeof(event));
                if (event.len > 0)
                        used += (size_t)snprintf(ret_opened + used, 256 - used, "%s ",
                                                 events + at + sizeof(event));
                at += (ssize_t)(sizeof(event) + event.len);
        }
        return config;
}

static void test_instance_alone(void **state)
{
        _cleanup_config_ Config *config = NULL;
        char opened[256], path[DIR_MAX * 2];

        (void)state;
        put("router.conf", "junk");
        put("instances/alice.conf", HOST("alice.example www.alice.example") "Network=yes\n");
        put("instances/a.conf", "junk");
        put("instances/bob.conf", "junk");
        in_dir(path, "instances/bob.conf");
        assert_int_equal(chmod(path, 0), 0);
        make_folder("instances/carol.conf");
        config = load_instance("alice", 0, opened);
        assert_string_equal(opened, "alice.conf ");
        assert_int_equal(config->n_problems, 0);
        assert_int_equal(config->n_instances, 1);
        assert_true(config->instances[0].network);
        assert_int_equal(hostmap_size(config->map), 2);
}

static void test_instance_not_alone(void **state)
{
        static const char *const texts[] = { HOST("alice.example *.alice.example"),
                                             HOST("alice.example") "Default=yes\n",
                                             HOST("alice.example") "Address=192.0.2.7:443\n" };

        (void)state;
        put("router.conf", "junk");
        put("instances/a.conf", "junk");
        put("instances/bob.conf", HOST("bob.alice.example"));
        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                _cleanup_config_ Config *config = NULL;
                uint32_t instance;
                Hostname host;
                char opened[256];

                put("instances/alice.conf", texts[i]);
                config = load_instance("alice", 0, opened);
                assert_string_equal(opened, "alice.conf a.conf alice.conf bob.conf ");
                assert_int_equal(config->n_problems, 1);
                assert_non_null(strstr(config->problems[0].text, "a.conf:1: the line is neither"));
                assert_int_equal(config->n_instances, 2);
                assert_int_equal(hostname_parse(span_from_string("bob.alice.example"), &host),
                                 HOSTNAME_OK);
                instance = hostmap_find_host(config->map, &host).instance;
                assert_true(instance < config->n_instances);
                assert_string_equal(config->instances[instance].name, "bob");
        }
}

static void test_instance_not_in_use(void **state)
{
        static const struct {
                const char *name, *text, *problem;
        } cases[] = {
                { "alice", NULL, NULL },
                { "a", "junk", "a.conf:1: the line is neither" },
                { "nosuch", HOST("b.example"), "user nosuch does not exist" },
                { "root", HOST("b.example"), "uid 0" },
                { "bellhop", HOST("b.example"), "is the router's" },
                { "../router", NULL, "'../router' is not a valid name of an instance" },
                { "", NULL, "'' is not a valid name of an instance" },
                { "bob", HOST("*.carol.example"), "already leads to a-b" },
                { "carol", "[Instance]\nDefault=yes\n", "carol.conf:2: Default=yes is in" },
        };

        (void)state;
        put("instances/a-b.conf", HOST("*.carol.example") "Default=yes\n");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_config_ Config *config = NULL;
                char file[64], opened[256];

                snprintf(file, sizeof(file), "instances/%s.conf", cases[i].name);
                if (cases[i].text)
                        put(file, cases[i].text);
                config = load_instance(cases[i].name, -ENOENT, opened);
                if (cases[i].problem == NULL)
                        assert_int_equal(config->n_problems, 0);
                else if (config->n_problems == 0 ||
                         strstr(config->problems[config->n_problems - 1].text, cases[i].problem) ==
                                 NULL)
                        fail_msg("%s: not '%s'", cases[i].name, cases[i].problem);
                if (cases[i].text) {
                        char path[DIR_MAX * 2];

                        in_dir(path, file);
                        assert_int_equal(unlink(path), 0);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_router_settings),    TEST(test_drop_in_order),
                TEST(test_router_errors),      TEST(test_router_limits),
                TEST(test_bad_drop_in),        TEST(test_instance_alone),
                TEST(test_instance_not_alone), TEST(test_instance_not_in_use),
        };

        return cmocka_run_group_tests_name("config-router", tests, NULL, NULL);
}
