/* SPDX-License-Identifier: MIT */
/* Tests of what files, sockets and units of an instance are called. Units and documents have the
 * same names, so a change here is one there. */
#include "unit.h"

#include "config/names.h"

static void test_paths(void **state)
{
        static const struct {
                NamePath what;
                const char *dir, *path;
        } cases[] = {
                { NAME_INSTANCE_FILE, "/etc/bellhop", "/etc/bellhop/instances/alice.conf" },
                { NAME_TLS_DIR, "/etc/bellhop", "/etc/bellhop/tls/alice" },
                { NAME_CERTIFICATE, "/etc/bellhop", "/etc/bellhop/tls/alice/fullchain.pem" },
                { NAME_PRIVATE_KEY, "/etc/bellhop", "/etc/bellhop/tls/alice/privkey.pem" },
                { NAME_SNIPPET_DIR, "/etc/bellhop", "/etc/bellhop/sites/alice" },
                { NAME_HANDOFF_SOCKET, "/run/bellhop", "/run/bellhop/alice.handoff" },
                { NAME_RUNNING_SIGN, "/run/bellhop", "/run/bellhop/alice.running" },
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *path = name_path(cases[i].what, cases[i].dir, "alice");

                assert_string_equal(path, cases[i].path);
        }
}

static void test_path_max(void **state)
{
        char dir[PATH_MAX], path[PATH_MAX];
        const size_t rest = strlen("/alice.handoff");

        memset(dir, 'x', sizeof(dir));
        dir[PATH_MAX - 1 - rest] = 0;
        assert_true(name_path_fill(NAME_HANDOFF_SOCKET, dir, "alice", path));
        assert_int_equal(strlen(path), PATH_MAX - 1);
        assert_false(name_path_fill(NAME_HANDOFF_SOCKET, dir, "alice2", path));
}

static void test_units(void **state)
{
        static const struct {
                NameUnit what;
                const char *unit;
        } cases[] = {
                { NAME_SOCKET_UNIT, "bellhop@alice.socket" },
                { NAME_SERVICE_UNIT, "bellhop@alice.service" },
                { NAME_STANDIN_UNIT, "bellhop-standin@alice.service" },
                { NAME_SERVICE_DROP_IN_DIR, "bellhop@alice.service.d" },
        };
        char unit[NAME_UNIT_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_string_equal(name_unit(cases[i].what, "alice", unit), cases[i].unit);
}

static void test_name_of_a_unit(void **state)
{
        static const char *const others[] = { "bellhop@.socket",       "bellhop@alice.service",
                                              "bellhop@alice.socket2", "bellhop@",
                                              "bellhop-router.socket", "" };
        char name[NAME_UNIT_MAX], *long_unit = NULL;

        assert_true(name_from_unit(NAME_SOCKET_UNIT, "bellhop@alice.socket", name));
        assert_string_equal(name, "alice");
        assert_true(name_from_unit(NAME_STANDIN_UNIT, "bellhop-standin@a-b.service", name));
        assert_string_equal(name, "a-b");
        for (size_t i = 0; i < ELEMENTSOF(others); i++)
                assert_false(name_from_unit(NAME_SOCKET_UNIT, others[i], name));
        assert_true(asprintf(&long_unit, "bellhop@%0*d.socket", NAME_UNIT_MAX, 0) > 0);
        assert_false(name_from_unit(NAME_SOCKET_UNIT, long_unit, name));
        free(long_unit);
}

static void test_folders_of_hosts(void **state)
{
        char folder[NAME_HOST_MAX];

        assert_string_equal(name_host_folder("a.example", folder), "a.example");
        assert_string_equal(name_host_folder("*.a.example", folder), "_.a.example");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_folders_of_hosts), cmocka_unit_test(test_paths),
                cmocka_unit_test(test_path_max),         cmocka_unit_test(test_units),
                cmocka_unit_test(test_name_of_a_unit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
