/* SPDX-License-Identifier: MIT */
/* Tests of the configuration as a whole, on files. */
#include "config-dir.h"

#include <sys/socket.h>
#include <sys/un.h>

#define HOST(name) "[Instance]\nHost=" name "\n"

static Config *load(ConfigUsers check)
{
        Config *config = NULL;
        const size_t n_fds = count_fds();

        assert_int_equal(config_load(dir, check, NULL, &config), 0);
        assert_non_null(config);
        assert_int_equal(count_fds(), n_fds);
        return config;
}

/* One problem for each text, in order, each about the place: a file below dir, with ":LINE" or not.
 */
static void assert_problems(const Config *config, size_t n, const char *const places[][2])
{
        for (size_t i = 0; i < n && i < config->n_problems; i++) {
                char start[DIR_MAX * 2 + 64];

                snprintf(start, sizeof(start), "%s/%s: ", dir, places[i][0]);
                if (strncmp(config->problems[i].text, start, strlen(start)) != 0 ||
                    strstr(config->problems[i].text, places[i][1]) == NULL)
                        fail_msg("'%s', not '%s%s'", config->problems[i].text, start, places[i][1]);
        }
        if (config->n_problems > n)
                fail_msg("more: '%s'", config->problems[n].text);
        assert_int_equal(config->n_problems, n);
}

static void assert_one_problem(const Config *config, const char *place, const char *text)
{
        const char *const problem[][2] = { { place, text } };

        assert_problems(config, 1, problem);
}

/* The instance's name, "-" for none; "+" before it: by default. */
static void assert_route(const Config *config, const char *host, const char *expected)
{
        HostMapMatch match = { .instance = ROUTE_NONE };
        const char *sign = "";
        char found[40];
        Hostname hostname;

        if (host) {
                assert_int_equal(hostname_parse(span_from_string(host), &hostname), HOSTNAME_OK);
                match = hostmap_find_host(config->map, &hostname);
        }
        if (match.instance == ROUTE_NONE && config->default_instance != ROUTE_NONE) {
                match.instance = config->default_instance;
                sign = "+";
        }
        assert_true(match.instance == ROUTE_NONE || match.instance < config->n_instances);
        snprintf(found, sizeof(found), "%s%s", sign,
                 match.instance == ROUTE_NONE ? "-" : config->instances[match.instance].name);
        if (strcmp(found, expected) != 0)
                fail_msg("%s: %s, not %s", host ? host : "no host", found, expected);
}

static void test_nothing_there(void **state)
{
        char path[DIR_MAX * 2];
        _cleanup_config_ Config *config = load(CONFIG_USERS_CHECK), *other = NULL;

        (void)state;
        assert_problems(config, 0, NULL);
        assert_int_equal(config->n_instances, 0);
        assert_int_equal(config->default_instance, ROUTE_NONE);
        assert_int_equal(config->router.sniff_timeout_usec, 10000000);
        assert_int_equal(config->router.sniff_max_bytes, 65536);
        assert_int_equal(config->router.pending_max, 16384);
        assert_route(config, "a.example", "-");
        assert_route(config, NULL, "-");

        in_dir(path, "missing");
        assert_int_equal(config_load(path, CONFIG_USERS_CHECK, NULL, &other), 0);
        assert_int_equal(other->n_instances, 0);
        assert_int_equal(other->n_problems, 0);
}

static void test_routes(void **state)
{
        static const struct {
                const char *host, *instance;
        } cases[] = {
                { "alice.example", "alice" },     { "www.alice.example", "alice" },
                { "x.alice.example", "bob" },     { "x.y.alice.example", "bob" },
                { "www.y.alice.example", "bob" }, { "s.shop.alice.example", "alice" },
                { "shop.alice.example", "bob" },  { "example", "+carol" },
                { "bob.example", "+carol" },      { NULL, "+carol" },
        };
        _cleanup_config_ Config *config = NULL, *without = NULL;

        (void)state;
        put("instances/alice.conf",
            HOST("alice.example www.alice.example *.shop.alice.example") "Network=yes\nIdleSec="
                                                                         "1h\n");
        put("instances/bob.conf", HOST("*.alice.example") "Address=192.0.2.7\n");
        put("instances/carol.conf", "[Instance]\nDefault=yes\n");
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, 0, NULL);
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_route(config, cases[i].host, cases[i].instance);
        assert_int_equal(config->n_instances, 3);
        assert_true(config->instances[0].network);
        assert_int_equal(config->instances[0].idle_usec, UINT64_C(3600000000));
        assert_false(config->instances[1].network);
        assert_int_equal(config->default_instance, 2);
        assert_int_equal(hostmap_size(config->map), 5);

        put("instances/carol.conf", HOST("carol.example"));
        without = load(CONFIG_USERS_CHECK);
        assert_route(without, "example", "-");
        assert_route(without, NULL, "-");
        assert_route(without, "carol.example", "carol");
}

static void test_find_instance(void **state)
{
        static const char *const names[] = { "a", "a-b", "alice", "bob", "carol", "ldap" };
        static const char *const others[] = { "", "0", "a-", "a-a", "al", "alicf", "z", "Bob" };
        _cleanup_config_ Config *config = NULL;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char file[64], text[64];

                snprintf(file, sizeof(file), "instances/%s.conf", names[i]);
                snprintf(text, sizeof(text), HOST("%s.example"), names[i]);
                put(file, text);
        }
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, 0, NULL);
        for (uint32_t i = 0; i < ELEMENTSOF(names); i++) {
                assert_string_equal(config->instances[i].name, names[i]);
                assert_int_equal(config_find_instance(config, names[i]), i);
        }
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_int_equal(config_find_instance(config, others[i]), ROUTE_NONE);
}

static void test_duplicate_hosts(void **state)
{
        static const char *const problems[][2] = {
                { "instances/bob.conf:4", "shared.example already leads to alice (" },
                { "instances/carol.conf:2", "*.wild.example already leads to alice (" },
                { "instances/ldap.conf:2", "192.0.2.7:443 already leads to alice (" },
        };
        static const unsigned lines[] = { 3, 4, 5 };
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/a.conf", HOST("a.example"));
        put("instances/alice.conf",
            HOST("alice.example") "Host=shared.example\nHost=*.wild.example\n"
                                  "Address=192.0.2.7:443\n");
        put("instances/bob.conf", HOST("bob.example") "Host=other.example\nHost=SHARED.example.\n");
        put("instances/carol.conf", HOST("*.wild.example"));
        put("instances/ldap.conf", "[Instance]\nAddress=192.0.2.7:443\n");
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, ELEMENTSOF(problems), problems);
        for (size_t i = 0; i < ELEMENTSOF(lines); i++) {
                char other[DIR_MAX * 2 + 32];

                snprintf(other, sizeof(other), "(%s/instances/alice.conf:%u)", dir, lines[i]);
                assert_non_null(strstr(config->problems[i].text, other));
        }
        /* The first by name keeps it; the second is left out with all that it has. */
        assert_int_equal(config->n_instances, 2);
        assert_route(config, "shared.example", "alice");
        assert_route(config, "bob.example", "-");
        assert_route(config, "x.wild.example", "alice");
}

/* A file that is left out for another reason takes no host from anybody. */
static void test_bad_file_holds_no_host(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("shared.example") "Default=yes\nFoo=bar\n");
        put("instances/bob.conf", HOST("shared.example") "Default=yes\n");
        put("instances/nosuch.conf", HOST("x.example") "Address=192.0.2.7\n");
        put("instances/ldap.conf", "[Instance]\nAddress=192.0.2.7\n");
        config = load(CONFIG_USERS_CHECK);
        assert_int_equal(config->n_problems, 2);
        assert_non_null(strstr(config->problems[0].text, "alice.conf:4: unknown key Foo="));
        assert_non_null(
                strstr(config->problems[1].text, "nosuch.conf: user nosuch does not exist"));
        assert_route(config, "shared.example", "bob");
        assert_route(config, "none.example", "+bob");
        assert_int_equal(config->n_instances, 2);
}

static void test_two_defaults(void **state)
{
        char other[DIR_MAX * 2];
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", "[Instance]\nDefault=yes\n");
        put("instances/bob.conf", HOST("bob.example") "\nDefault=yes\n");
        put("instances/carol.conf", HOST("carol.example"));
        config = load(CONFIG_USERS_CHECK);
        assert_one_problem(config, "instances/bob.conf:4", "Default=yes is in ");
        in_dir(other, "instances/alice.conf");
        assert_non_null(strstr(config->problems[0].text, other));
        assert_route(config, "bob.example", "+alice");
        assert_route(config, "carol.example", "carol");
}

static void test_file_names(void **state)
{
        static const char *const problems[][2] = {
                { "instances/-x.conf", "'-x' is not a valid name of an instance" },
                { "instances/9x.conf", "'9x' is not a valid name" },
                { "instances/a b.conf", "'a b' is not a valid name" },
                { "instances/a.b.conf", "'a.b' is not a valid name" },
                { "instances/a23456789012345678901234567890123.conf", "at most 31" },
        };
        _cleanup_config_ Config *config = NULL;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(problems); i++)
                put(problems[i][0], HOST("bad.example"));
        put("instances/.hidden.conf", "junk");
        put("instances/.conf", "junk");
        put("instances/alice.conf~", "junk");
        put("instances/alice.conf.dpkg-new", "junk");
        put("instances/conf", "junk");
        put("instances/README", "junk");
        put("instances/bob.CONF", "junk");
        put("instances/alice.conf", HOST("alice.example"));
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, ELEMENTSOF(problems), problems);
        assert_int_equal(config->n_instances, 1);
        assert_route(config, "alice.example", "alice");
}

static void test_users(void **state)
{
        static const char *const problems[][2] = {
                { "instances/bellhop.conf", "user bellhop is the router's" },
                { "instances/ldaproot.conf", "user ldaproot has uid 0" },
                { "instances/nosuch.conf", "user nosuch does not exist" },
                { "instances/root.conf", "user root has uid 0" },
                { "instances/toor.conf", "user toor has uid 0" },
        };
        static const char *const trusted_problems[][2] = {
                { "instances/bellhop.conf", "user bellhop is the router's" },
                { "instances/root.conf", "user root has uid 0" },
        };
        _cleanup_config_ Config *checked = NULL, *trusted = NULL;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(problems); i++) {
                char text[64];

                snprintf(text, sizeof(text), HOST("h%zu.example"), i);
                put(problems[i][0], text);
        }
        put("instances/ldap.conf", HOST("ldap.example"));
        put("instances/alice.conf", HOST("alice.example"));
        checked = load(CONFIG_USERS_CHECK);
        assert_problems(checked, ELEMENTSOF(problems), problems);
        assert_int_equal(checked->n_instances, 2);
        assert_route(checked, "ldap.example", "ldap");
        /* A listed user is not looked up by name again. */
        assert_true(n_getpwnam > 0);
        assert_false(alice_was_asked_for);

        n_getpwnam = 0;
        trusted = load(CONFIG_USERS_TRUST);
        assert_problems(trusted, ELEMENTSOF(trusted_problems), trusted_problems);
        assert_int_equal(trusted->n_instances, 5);
        assert_int_equal(n_getpwnam, 0);
}

/* "There is no such user" must not be said when nobody could be asked. */
static void test_users_not_known(void **state)
{
        static const int errors[] = { EMFILE, ENFILE, ENOMEM };
        Config *config = NULL;
        uint32_t instance;

        (void)state;
        put("instances/ldap.conf", HOST("ldap.example"));
        for (size_t i = 0; i < ELEMENTSOF(errors); i++) {
                fake_errno = errors[i];
                assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), -errors[i]);
                assert_int_equal(config_load_instance(dir, "ldap", &config, &instance), -errors[i]);
                assert_null(config);
        }
}

/* Another name for the router's uid may speak to all instances just as well. */
static void test_user_with_routers_uid(void **state)
{
        struct FakeUser *carol = &fake_users[6];
        const uid_t uid = carol->uid;
        _cleanup_config_ Config *config = NULL, *alone = NULL;
        uint32_t instance;
        int r;

        (void)state;
        assert_string_equal(carol->name, "carol");
        put("instances/carol.conf", HOST("carol.example"));
        carol->uid = 2006;
        config = load(CONFIG_USERS_CHECK);
        r = config_load_instance(dir, "carol", &alone, &instance);
        carol->uid = uid;
        assert_one_problem(config, "instances/carol.conf", "user carol");
        assert_int_equal(config->n_instances, 0);
        assert_int_equal(r, -ENOENT);
}

static bool network_of(const char *name)
{
        Instance settings = { .network = true };

        assert_int_equal(config_read_instance(dir, name, &settings), 0);
        return settings.network;
}

/* What is in doubt has no network. */
static void test_network_of_one_instance(void **state)
{
        (void)state;
        put("instances/alice.conf", HOST("alice.example") "Network=yes\n");
        put("instances/bob.conf", HOST("bob.example") "Network=no\n");
        put("instances/carol.conf", HOST("carol.example"));
        put("instances/a.conf", HOST("*.example") "Network=yes\n");
        put("instances/a-b.conf", HOST("a-b.example") "Network=yes\nNetwork=maybe\n");
        assert_true(network_of("alice"));
        assert_false(network_of("bob"));
        assert_false(network_of("carol"));
        assert_true(network_of("a"));
        assert_false(network_of("a-b"));
        assert_false(network_of("nobody"));
        assert_false(network_of("../instances/alice"));
}

static void test_syntax_errors_in_files(void **state)
{
        static const char *const problems[][2] = {
                { "instances/a.conf:2", "CR LF" },
                { "instances/a-b.conf:2", "control character" },
                { "instances/bob.conf", "no route leads to this instance" },
                { "instances/carol.conf:1", "unknown section" },
        };
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/a.conf", "[Instance]\nHost=a.example\r\n");
        put_bytes("instances/a-b.conf", S("[Instance]\nHost=b\0.example\n"));
        put("instances/bob.conf", "");
        put("instances/carol.conf", "[Foo]\nHost=c.example\n");
        put("instances/alice.conf", "[Instance]\nHost=alice.example");
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, ELEMENTSOF(problems), problems);
        assert_int_equal(config->n_instances, 1);
        assert_route(config, "alice.example", "alice");
}

static void test_modes(void **state)
{
        static const struct {
                mode_t mode;
                bool good;
        } cases[] = {
                { 0600, true },  { 0644, true },  { 0755, true },  { 0664, false },
                { 0646, false }, { 0666, false }, { 0620, false }, { 0602, false },
        };
        char path[DIR_MAX * 2], router[DIR_MAX * 2];

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("router.conf", "[Router]\nPendingMax=7\n");
        in_dir(path, "instances/alice.conf");
        in_dir(router, "router.conf");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                static const char *const problems[][2] = {
                        { "router.conf", "writable only by its owner (chmod go-w)" },
                        { "instances/alice.conf", "writable only by its owner (chmod go-w)" },
                };
                _cleanup_config_ Config *config = NULL;

                assert_int_equal(chmod(path, cases[i].mode), 0);
                assert_int_equal(chmod(router, cases[i].mode), 0);
                config = load(CONFIG_USERS_CHECK);
                assert_problems(config, cases[i].good ? 0 : 2, problems);
                assert_int_equal(config->n_instances, cases[i].good);
                assert_int_equal(config->router.pending_max, cases[i].good ? 7 : 16384);
        }
}

static void test_owner(void **state)
{
        char path[DIR_MAX * 2];
        _cleanup_config_ Config *config = NULL;

        (void)state;
        if (geteuid() != 0)
                skip_test("as only root gives files away");
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example"));
        in_dir(path, "instances/alice.conf");
        assert_int_equal(chown(path, NOBODY_UID, 0), 0);
        config = load(CONFIG_USERS_CHECK);
        assert_one_problem(config, "instances/alice.conf", "must be owned by root (chown root)");
        assert_route(config, "bob.example", "bob");
}

/* As another user root's files are good, and our own. */
static void test_not_root(void **state)
{
        char alice[DIR_MAX * 2], bob[DIR_MAX * 2];
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example"));
        put("instances/carol.conf", HOST("carol.example"));
        in_dir(alice, "instances/alice.conf");
        in_dir(bob, "instances/bob.conf");
        if (geteuid() == 0) {
                assert_int_equal(chown(alice, NOBODY_UID, NOBODY_UID), 0);
                assert_int_equal(seteuid(NOBODY_UID), 0);
                assert_int_equal(chmod(alice, 0600), 0);
                assert_int_equal(seteuid(0), 0);
                assert_int_equal(chmod(bob, 0), 0);
                assert_int_equal(seteuid(NOBODY_UID), 0);
        } else {
                assert_int_equal(chmod(bob, 0), 0);
        }
        config = load(CONFIG_USERS_CHECK);
        if (getuid() == 0)
                assert_int_equal(seteuid(0), 0);
        assert_one_problem(config, "instances/bob.conf", "Permission denied; make it readable");
        assert_route(config, "alice.example", "alice");
        assert_route(config, "carol.example", "carol");
}

static void make_socket(const char *name)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", dir, name);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void test_no_regular_files(void **state)
{
        static const char *const problems[][2] = {
                { "instances/a.conf", "is not a regular file" },
                { "instances/alice.conf", "is not a regular file" },
                { "instances/bob.conf", "Too many levels of symbolic links" },
        };
        char path[DIR_MAX * 2];
        _cleanup_config_ Config *config = NULL;

        (void)state;
        make_folder("instances/a.conf");
        in_dir(path, "instances/alice.conf");
        assert_int_equal(mkfifo(path, 0644), 0);
        in_dir(path, "instances/bob.conf");
        assert_int_equal(symlink("bob.conf", path), 0);
        put("carol", HOST("carol.example"));
        in_dir(path, "instances/carol.conf");
        assert_int_equal(symlink("../carol", path), 0);
        config = load(CONFIG_USERS_CHECK);
        assert_problems(config, ELEMENTSOF(problems), problems);
        assert_route(config, "carol.example", "carol");
}

/* open(2) says ENXIO, which is about this file and no other. */
static void test_socket_as_file(void **state)
{
        _cleanup_config_ Config *config = NULL;

        (void)state;
        make_socket("instances/alice.conf");
        put("instances/bob.conf", HOST("bob.example"));
        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), 0);
        assert_int_equal(config->n_problems, 1);
        assert_route(config, "bob.example", "bob");
}

static void test_too_large(void **state)
{
        char path[DIR_MAX * 2];
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf", HOST("alice.example"));
        put("instances/bob.conf", HOST("bob.example"));
        in_dir(path, "instances/alice.conf");
        assert_int_equal(truncate(path, CONFIG_FILE_MAX_BYTES + 1), 0);
        config = load(CONFIG_USERS_CHECK);
        assert_one_problem(config, "instances/alice.conf", "larger than 64 MiB");
        assert_route(config, "bob.example", "bob");
}

static void test_folder_is_none(void **state)
{
        char path[DIR_MAX * 2];
        Config *config = NULL;

        (void)state;
        in_dir(path, "instances");
        assert_int_equal(rmdir(path), 0);
        put("instances", "x");
        assert_int_equal(config_load(dir, CONFIG_USERS_CHECK, NULL, &config), -ENOTDIR);
        assert_null(config);
}

static void assert_same(const char *a, const char *b)
{
        assert_true((a == NULL) == (b == NULL));
        if (a)
                assert_string_equal(a, b);
}

/* Programs read these and never the text. */
static void test_parts_of_a_problem(void **state)
{
        static const struct {
                const char *file, *meant;
                unsigned line;
                const char *what;
        } expected[] = {
                { "alice", "a.example", 2, "Host=a.example:80 has a port;" },
                { "alice", "Host", 3, "unknown key Hots= in [Instance]; did you mean Host=?" },
                { "alice", NULL, 4, "IdleSec=never is not a time span;" },
                { "alice", "*.a.example b.example", 5,
                  "Host=*.a.example,https://b.example/x is not a host name; write" },
                { "alice", NULL, 6, "Host=192.0.2.7 is an address; write it as Address=" },
                { "alice", NULL, 6, "Host=-,a.example is not a host name;" },
                { "alice", NULL, 7, "unknown key Nothing= in [Instance]; known keys are Host=" },
                { "alice", NULL, 8, "the line is neither a [Section]" },
                { "alice", "Instance", 9, "unknown section [instance];" },
                { "bad name", NULL, 0, "'bad name' is not a valid name" },
                { "carol", NULL, 3, "b.example already leads to bob (" },
                { "dave", "Instance", 1, "Host= is before any section;" },
                { "erin", NULL, 3, "Host=a.example appears twice" },
                { "frank", NULL, 0, "no route leads to this instance" },
                { "nobody-knows", NULL, 0, "user nobody-knows does not exist" },
                { "root", NULL, 0, "user root has uid 0" },
        };
        _cleanup_config_ Config *config = NULL;

        (void)state;
        put("instances/alice.conf",
            "[Instance]\nHost=a.example:80\nHots=a.example\nIdleSec=never\n"
            "Host=*.a.example,https://b.example/x\nHost=192.0.2.7 -,a.example\nNothing=1\n"
            "nothing\n[instance]\n");
        put("instances/bad name.conf", HOST("f.example"));
        put("instances/dave.conf", "Host=g.example\n");
        put("instances/erin.conf", "[Instance]\nHost=a.example\nHost=a.example\n");
        put("instances/frank.conf", "[Instance]\n");
        put("instances/root.conf", HOST("h.example"));
        put("instances/bob.conf", HOST("b.example"));
        put("instances/carol.conf", "[Instance]\nHost=c.example\nHost=d.example b.example\n");
        put("instances/nobody-knows.conf", HOST("e.example"));
        config = load(CONFIG_USERS_CHECK);
        assert_int_equal(config->n_problems, ELEMENTSOF(expected));
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                const Problem *problem = &config->problems[i];
                char name[64], path[DIR_MAX * 2];

                snprintf(name, sizeof(name), "instances/%s.conf", expected[i].file);
                in_dir(path, name);
                assert_string_equal(problem->file, path);
                assert_string_equal(problem->instance, expected[i].file);
                assert_int_equal(problem->line, expected[i].line);
                if (strncmp(problem->what, expected[i].what, strlen(expected[i].what)) != 0)
                        fail_msg("'%s', not '%s'", problem->what, expected[i].what);
                assert_int_equal(problem->lacks_user,
                                 strcmp(expected[i].file, "nobody-knows") == 0);
                assert_same(problem->meant, expected[i].meant);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, dir_setup, dir_teardown)
                TEST(test_nothing_there),
                TEST(test_routes),
                TEST(test_find_instance),
                TEST(test_duplicate_hosts),
                TEST(test_bad_file_holds_no_host),
                TEST(test_two_defaults),
                TEST(test_file_names),
                TEST(test_users),
                TEST(test_users_not_known),
                TEST(test_user_with_routers_uid),
                TEST(test_network_of_one_instance),
                TEST(test_syntax_errors_in_files),
                TEST(test_modes),
                TEST(test_owner),
                TEST(test_not_root),
                TEST(test_no_regular_files),
                TEST(test_socket_as_file),
                TEST(test_too_large),
                TEST(test_parts_of_a_problem),
                TEST(test_folder_is_none),
        };

        return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
