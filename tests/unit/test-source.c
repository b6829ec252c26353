/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "unit.h"

#include "router/source.h"

static Address address(const char *text)
{
        Address a;

        assert_true(address_parse(span_from_string(text), &a));
        return a;
}

static int charge(SourceTable *table, const RouterSettings *settings, const char *text,
                  Source **ret)
{
        const Address a = address(text);

        return source_charge(table, settings, &a, ret);
}

static void test_prefixes(void **state)
{
        static const struct {
                unsigned ipv4_bits, ipv6_bits;
                const char *a, *b;
                bool same;
        } cases[] = {
                { 32, 64, "192.0.2.1", "192.0.2.1", true },
                { 32, 64, "192.0.2.1", "192.0.2.0", false },
                { 31, 64, "192.0.2.1", "192.0.2.0", true },
                { 24, 64, "192.0.2.1", "192.0.2.255", true },
                { 24, 64, "192.0.2.1", "192.0.3.1", false },
                { 0, 64, "192.0.2.1", "10.0.0.1", true },
                { 32, 64, "2001:db8::1", "2001:db8::ffff:0:0:1", true },
                { 32, 64, "2001:db8::1", "2001:db8:0:1::1", false },
                { 32, 63, "2001:db8::1", "2001:db8:0:1::1", true },
                { 32, 128, "2001:db8::1", "2001:db8::2", false },
                /* One family's clients never count for the other's. */
                { 0, 0, "192.0.2.1", "2001:db8::1", false },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const RouterSettings limit = { .source_prefix_ipv4 = cases[i].ipv4_bits,
                                               .source_prefix_ipv6 = cases[i].ipv6_bits,
                                               .pending_max_per_source = 1 };
                SourceTable table = { .n = 0 };
                Source *a = NULL, *b = NULL;

                assert_int_equal(charge(&table, &limit, cases[i].a, &a), 0);
                assert_int_equal(charge(&table, &limit, cases[i].b, &b),
                                 cases[i].same ? -EDQUOT : 0);
                assert_int_equal(table.n, cases[i].same ? 1 : 2);
                source_release(&table, a);
                source_release(&table, b);
                assert_int_equal(table.n, 0);
                assert_null(table.root);
        }
}

static void test_many(void **state)
{
        enum { N_SOURCES = 300, N_EACH = 3 };
        static Source *sources[N_SOURCES][N_EACH];
        const RouterSettings limit = { .source_prefix_ipv4 = 32,
                                       .source_prefix_ipv6 = 64,
                                       .pending_max_per_source = N_EACH };
        SourceTable table = { .n = 0 };
        Source *more = NULL;

        for (int n = 0; n < N_EACH; n++)
                for (int i = 0; i < N_SOURCES; i++) {
                        char text[32];

                        snprintf(text, sizeof(text), "10.0.%d.%d", i / 256, i % 256);
                        assert_int_equal(charge(&table, &limit, text, &sources[i][n]), 0);
                }
        assert_int_equal(table.n, N_SOURCES);
        assert_int_equal(charge(&table, &limit, "10.0.0.7", &more), -EDQUOT);
        source_release(&table, sources[7][0]);
        assert_int_equal(charge(&table, &limit, "10.0.0.7", &sources[7][0]), 0);
        for (int i = 0; i < N_SOURCES; i++)
                for (int n = 0; n < N_EACH; n++)
                        source_release(&table, sources[i][n]);
        assert_int_equal(table.n, 0);
        assert_null(table.root);
}

static void test_no_limit(void **state)
{
        const RouterSettings limit = { .source_prefix_ipv4 = 32,
                                       .source_prefix_ipv6 = 64,
                                       .pending_max_per_source = 0 };
        SourceTable table = { .n = 0 };
        Source *sources[1000];

        for (size_t i = 0; i < 1000; i++)
                assert_int_equal(charge(&table, &limit, "192.0.2.1", &sources[i]), 0);
        for (size_t i = 0; i < 1000; i++)
                source_release(&table, sources[i]);
        assert_null(table.root);
        source_release(&table, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_no_limit),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
