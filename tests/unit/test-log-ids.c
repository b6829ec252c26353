/* SPDX-License-Identifier: MIT */
/* The catalog explains each of our message ids, and no others. */
#include "unit.h"

#define ID_DIGITS 32
#define IDS_MAX   64

typedef struct Ids {
        char id[IDS_MAX][ID_DIGITS + 1];
        size_t n;
} Ids;

static void add(Ids *ids, const char *text)
{
        assert_true(ids->n < IDS_MAX);
        assert_int_equal(strspn(text, "0123456789abcdef"), ID_DIGITS);
        for (size_t i = 0; i < ids->n; i++)
                assert_memory_not_equal(ids->id[i], text, ID_DIGITS);
        memcpy(ids->id[ids->n++], text, ID_DIGITS);
}

static FILE *open_source(const char *name)
{
        const char *folder = getenv("BELLHOP_SOURCE");
        char path[4096];
        FILE *file;

        assert_non_null(folder);
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "re");
        assert_non_null(file);
        return file;
}

static Ids ids_of_header(void)
{
        _cleanup_fclose_ FILE *file = open_source("src/util/log-ids.h");
        Ids ids = { .n = 0 };
        char line[256];

        while (fgets(line, sizeof(line), file))
                if (strncmp(line, "#define LOG_ID_", 15) == 0) {
                        const char *quote = strchr(line, '"');

                        assert_non_null(quote);
                        assert_int_equal(quote[1 + ID_DIGITS], '"');
                        add(&ids, quote + 1);
                }
        return ids;
}

static Ids ids_of_catalog(void)
{
        _cleanup_fclose_ FILE *file = open_source("conf/bellhop.catalog");
        Ids ids = { .n = 0 };
        char line[256];
        bool wants_subject = false;

        while (fgets(line, sizeof(line), file)) {
                assert_non_null(strchr(line, '\n'));
                if (wants_subject)
                        assert_memory_equal(line, "Subject: ", 9);
                wants_subject = strncmp(line, "-- ", 3) == 0;
                if (wants_subject) {
                        add(&ids, line + 3);
                        assert_int_equal(line[3 + ID_DIGITS], '\n');
                }
        }
        return ids;
}

static int compare(const void *a, const void *b)
{
        return strcmp(a, b);
}

static void test_header_and_catalog_agree(void **state)
{
        Ids header = ids_of_header(), catalog = ids_of_catalog();

        (void)state;
        assert_true(header.n > 0);
        assert_int_equal(header.n, catalog.n);
        qsort(header.id, header.n, sizeof(header.id[0]), compare);
        qsort(catalog.id, catalog.n, sizeof(catalog.id[0]), compare);
        for (size_t i = 0; i < header.n; i++)
                assert_string_equal(header.id[i], catalog.id[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_header_and_catalog_agree),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
