/* SPDX-License-Identifier: MIT */
/* Reading of the text format: what the router writes, and what it never would. */
#include "unit.h"

#include "ctl/ask/metrics-client.h"

static int parse(const char *text, Samples *ret)
{
        char *copy = strdup(text);

        assert_non_null(copy);
        return samples_parse_consume(copy, ret);
}

static void test_samples(void **state)
{
        static const char text[] = "# HELP a_total What \"it\" {is}.\n"
                                   "# TYPE a_total counter\n"
                                   "a_total 42\n"
                                   "a_total{instance=\"alice\"} 1\n"
                                   "a_total{instance=\"bob\",reason=\"no-host\"} 2.5\n"
                                   "\n"
                                   "b_bucket{le=\"+Inf\"} 3\n"
                                   "c 1e-05";
        Samples samples;
        char value[16];
        double number;

        (void)state;
        assert_int_equal(parse(text, &samples), 0);
        assert_int_equal(samples.n, 5);
        assert_string_equal(samples.samples[0].name, "a_total");
        assert_string_equal(samples.samples[0].labels, "");
        assert_true(samples.samples[0].value == 42);
        assert_string_equal(samples.samples[2].labels, "instance=\"bob\",reason=\"no-host\"");
        assert_true(sample_label(&samples.samples[2], "instance", value, sizeof(value)));
        assert_string_equal(value, "bob");
        assert_true(sample_label(&samples.samples[2], "reason", value, sizeof(value)));
        assert_string_equal(value, "no-host");
        assert_false(sample_label(&samples.samples[2], "ance", value, sizeof(value)));
        assert_false(sample_label(&samples.samples[2], "reason", value, sizeof("no-host") - 1));
        assert_false(sample_label(&samples.samples[0], "instance", value, sizeof(value)));

        assert_true(samples_find(&samples, "a_total", NULL, NULL, &number));
        assert_true(number == 42);
        assert_true(samples_find(&samples, "a_total", "instance", "bob", &number));
        assert_true(number == 2.5);
        assert_true(samples_find(&samples, "b_bucket", "le", "+Inf", &number));
        assert_true(number == 3);
        assert_true(samples_find(&samples, "c", NULL, NULL, &number));
        assert_true(number == 1e-05);
        assert_false(samples_find(&samples, "a_total", "instance", "carol", &number));
        assert_false(samples_find(&samples, "a", NULL, NULL, &number));
        samples_done(&samples);
}

static void test_quotes(void **state)
{
        Samples samples;

        (void)state;
        assert_int_equal(parse("a{x=\"}\\\"}\"} 1\n", &samples), 0);
        assert_int_equal(samples.n, 1);
        assert_string_equal(samples.samples[0].labels, "x=\"}\\\"}\"");
        samples_done(&samples);
}

static void test_many(void **state)
{
        enum { N = 3000 };
        char *text = malloc(N * 16), *at = text;
        Samples samples;

        (void)state;
        assert_non_null(text);
        for (int i = 0; i < N; i++)
                at += sprintf(at, "m%d %d\n", i, i);
        assert_int_equal(samples_parse_consume(text, &samples), 0);
        assert_int_equal(samples.n, N);
        for (int i = 0; i < N; i++)
                assert_true(samples.samples[i].value == i);
        samples_done(&samples);
}

static void test_no_samples(void **state)
{
        static const char *const texts[] = { "a",        "a ",        "a{x=\"1\" 2",  "a{x=\"1\"}",
                                             "a x",      "a 1 2",     "{x=\"1\"} 1",  " 1",
                                             "a{x=\"1}", "<html>\n ", "a{x=\"1\"}=1", "a 1\nb" };
        Samples samples;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(texts); i++)
                assert_int_equal(parse(texts[i], &samples), -EPROTO);
        assert_int_equal(parse("", &samples), 0);
        assert_int_equal(samples.n, 0);
        samples_done(&samples);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_samples),
                cmocka_unit_test(test_quotes),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_no_samples),
        };

        return cmocka_run_group_tests_name("ctl-metrics", tests, NULL, NULL);
}
