/* SPDX-License-Identifier: MIT */
/* Tests of the metrics: what is counted, how it is written, and that pieces make the same whole. */
#include "unit.h"

#include "metrics/metrics.h"
#include "util/clock.h"

static void test_count_handoff(void **state)
{
        static const struct {
                uint64_t nsec;
                size_t bucket;
        } cases[] = {
                { 0, 0 },
                { 25000, 0 },
                { 25001, 1 },
                { 30 * NSEC_PER_SEC, LATENCY_BOUNDS - 1 },
                { 30 * NSEC_PER_SEC + 1, LATENCY_BOUNDS },
        };
        const struct bellhop_handoff handoff = { .reason = BELLHOP_REASON_DEFAULT,
                                                 .accepted_nsec = 1000 };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                Metrics metrics = { 0 };
                InstanceMetrics instance = { 0 };

                metrics_count_handoff(&metrics, &instance, &handoff, 1000 + cases[i].nsec);
                assert_int_equal(metrics.latency[cases[i].bucket], 1);
                assert_int_equal(metrics.latency_nsec, cases[i].nsec);
                assert_int_equal(metrics.handed_off[BELLHOP_REASON_DEFAULT - 1], 1);
                assert_int_equal(metrics_sum(metrics.handed_off, BELLHOP_REASON_DEFAULT), 1);
                assert_int_equal(instance.handed_off, 1);
                assert_int_equal(instance.latency_nsec, cases[i].nsec);
        }
}

typedef struct Names {
        const char *name[8];
} Names;

static const char *name_at(const void *userdata, size_t i)
{
        return ((const Names *)userdata)->name[i];
}

static const InstanceMetrics *metrics_at(const void *userdata, size_t i)
{
        static const InstanceMetrics some = { .handed_off = 7, .waiting = 3 };

        return i % 2 ? &some : NULL;
}

static MetricsSource source_of(const Metrics *metrics, const Names *names, size_t n)
{
        return (MetricsSource){
                .metrics = metrics,
                .n_instances = n,
                .instance_name = name_at,
                .instance_metrics = metrics_at,
                .userdata = names,
        };
}

static void write_all(const MetricsSource *source, size_t piece_bytes, Exposition *whole)
{
        static Exposition piece;
        MetricsCursor cursor = { 0 };
        bool more = true;

        *whole = (Exposition){ .size = 0 };
        while (more) {
                piece.size = 0;
                more = metrics_write(source, &cursor, &piece, piece_bytes);
                assert_true(piece.size > 0 && !piece.failed);
                exposition_printf(whole, "%s", piece.data);
        }
        assert_false(whole->failed);
}

static size_t count_text(const Exposition *in, const char *text)
{
        size_t n = 0;

        for (size_t i = 0; i + strlen(text) <= in->size; i++)
                n += memcmp(in->data + i, text, strlen(text)) == 0;
        return n;
}

static void test_seconds(void **state)
{
        static const struct {
                uint64_t nsec;
                const char *text;
        } cases[] = {
                { 0, "0" },
                { 1, "0.000000001" },
                { 25000, "0.000025" },
                { 2500000000, "2.5" },
                { 10 * NSEC_PER_SEC, "10" },
                { UINT64_MAX, "18446744073.709551615" },
        };
        static Exposition all;

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const Metrics metrics = { .latency_nsec = cases[i].nsec };
                const MetricsSource source = source_of(&metrics, NULL, 0);
                char line[128];

                write_all(&source, SIZE_MAX, &all);
                snprintf(line, sizeof(line), "\nbellhop_handoff_latency_seconds_sum %s\n",
                         cases[i].text);
                assert_int_equal(count_text(&all, line), 1);
        }
}

static void test_no_room(void **state)
{
        static Exposition full;

        (void)state;
        for (size_t i = 0; i < sizeof(full.data) - 1; i++)
                exposition_printf(&full, "%c", 'x');
        assert_false(full.failed);
        exposition_printf(&full, "%c", 'x');
        assert_true(full.failed);
        assert_int_equal(full.size, sizeof(full.data) - 1);
}

static void test_pieces_make_the_same_whole(void **state)
{
        const Names names = { { "a", "b", "c", "d\"e" } };
        const Metrics metrics = { .accepted = 42 };
        const MetricsSource source = source_of(&metrics, &names, 4);
        static Exposition at_once, pieces;

        (void)state;
        write_all(&source, SIZE_MAX, &at_once);
        assert_true(at_once.size > 4096);
        for (size_t bytes = 1; bytes < 600; bytes += 7) {
                write_all(&source, bytes, &pieces);
                assert_int_equal(pieces.size, at_once.size);
                assert_memory_equal(pieces.data, at_once.data, at_once.size);
        }
}

/* A reload in the middle of an answer: what stays is written once, wherever its place is now. */
static void test_instances_change_meanwhile(void **state)
{
        const Names before = { { "b", "c", "d", "e" } }, after = { { "a", "b", "d", "dd", "f" } };
        const Metrics metrics = { 0 };
        const MetricsSource old = source_of(&metrics, &before, 4),
                            new = source_of(&metrics, &after, 5);
        const char *last = "bellhop_instance_handed_off_total{instance=\"c\"}";
        MetricsCursor cursor = { 0 };
        static Exposition exposition;
        bool more = true;

        (void)state;
        while (count_text(&exposition, last) == 0)
                assert_true(metrics_write(&old, &cursor, &exposition, exposition.size + 1));
        while (more)
                more = metrics_write(&new, &cursor, &exposition, exposition.size + 1);
        assert_int_equal(count_text(&exposition, "\nbellhop_instance_handed_off_total{"), 5);
        for (size_t i = 0; i < 5; i++) {
                static const char *const seen[] = { "b", "c", "d", "dd", "f" };
                char line[80];

                snprintf(line, sizeof(line), "\nbellhop_instance_handed_off_total{instance=\"%s\"}",
                         seen[i]);
                assert_int_equal(count_text(&exposition, line), 1);
        }
        /* From the next metric on, they are the new ones. */
        assert_int_equal(count_text(&exposition, "\nbellhop_instance_waiting_connections{"), 5);
        assert_int_equal(count_text(&exposition,
                                    "\nbellhop_instance_waiting_connections{instance=\"a\"}"),
                         1);
}

static void test_instance_values(void **state)
{
        const Names names = { { "a", "b" } };
        const Metrics metrics = { .refused = { [REFUSE_TIMEOUT] = 5, [REFUSE_PLAIN_HTTP] = 6 } };
        const MetricsSource source = source_of(&metrics, &names, 2);
        static Exposition all;

        (void)state;
        write_all(&source, SIZE_MAX, &all);
        assert_int_equal(count_text(&all, "\nbellhop_refused_total{reason=\"timeout\"} 5\n"), 1);
        assert_int_equal(count_text(&all, "\nbellhop_refused_total{reason=\"plain-http\"} 6\n"), 1);
        assert_int_equal(count_text(&all,
                                    "\nbellhop_instance_handed_off_total{instance=\"a\"} 0\n"),
                         1);
        assert_int_equal(count_text(&all,
                                    "\nbellhop_instance_handed_off_total{instance=\"b\"} 7\n"),
                         1);
        assert_int_equal(count_text(&all,
                                    "\nbellhop_instance_waiting_connections{instance=\"b\"} 3\n"),
                         1);
        assert_int_equal(count_text(&all, "{instance=\"b\",reason=\"plain-http\"} 0\n"), 1);
        assert_int_equal(count_text(&all, "{instance=\"b\",reason=\"timeout\"}"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_room),
                cmocka_unit_test(test_seconds),
                cmocka_unit_test(test_count_handoff),
                cmocka_unit_test(test_pieces_make_the_same_whole),
                cmocka_unit_test(test_instances_change_meanwhile),
                cmocka_unit_test(test_instance_values),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
