/* SPDX-License-Identifier: MIT */
/* What a server says of its configuration, whatever its files and the customer's code say
 * as well. */
#include "unit.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "instance/verdict.h"

typedef struct Found {
        size_t n;
        Verdict last;
} Found;

static void count(const Verdict *verdict, void *userdata)
{
        Found *found = userdata;

        found->n++;
        found->last = *verdict;
}

static void test_what_is_written_is_read(void **state)
{
        char file[] = "/srv/www/a\nb\x1e\x1f/.htaccess", what[] = "no\x1fsuch\nthing";
        Found found = { .n = 0 };
        char *said = NULL;
        size_t size;
        FILE *out = open_memstream(&said, &size);

        assert_non_null(out);
        (void)fputs("[core:warn] words before\n", out);
        verdict_write(out, &(Verdict){ VERDICT_HTACCESS, 7, file, what });
        (void)fputs("words in between, ", out);
        verdict_write(out, &(Verdict){ .kind = VERDICT_END });
        verdict_write(out, &(Verdict){ VERDICT_HTACCESS, 7, file, what });
        assert_int_equal(fclose(out), 0);
        assert_true(verdict_read(said, count, &found));
        assert_int_equal(found.n, 1);
        assert_int_equal(found.last.kind, VERDICT_HTACCESS);
        assert_int_equal(found.last.line, 7);
        free(said);
        assert_string_equal(file, "/srv/www/a?b?\?/.htaccess");
        assert_string_equal(what, "no?such?thing");
}

static void test_people_get_the_rest(void **state)
{
        char said[] = "one\n\x1e"
                      "0\x1f"
                      "0\x1f\x1f\ntwo\n";
        Found found = { .n = 0 };

        assert_true(verdict_read(said, count, &found));
        assert_string_equal(said, "one\ntwo\n");
}

static void test_other_forms_are_none(void **state)
{
        static const char *const none[] = {
                "",
                "words\n",
                "\x1e/file\n",
                "\x1e\x1f\x1f\x1f\n",
                "\x1e#\x1f#\x1f/file\n",
                "\x1e#\x1f\x1f/file\x1fwords\n",
                "\x1e#\x1f-#\x1f/file\x1fwords\n",
                "\x1e#\x1f##########99\x1f/file\x1fwords\n",
                "\x1e##\x1f#\x1f/file\x1fwords\n",
                "\x1e#\x1f#\x1fno-path\x1fwords\n",
                "\x1e#\x1f#\x1f\x1fwords\n",
                /* cut */
                "\x1e",
                "\x1e#\x1f#\x1f/file\x1fwords",
        };

        for (size_t i = 0; i < ELEMENTSOF(none); i++) {
                Found found = { .n = 0 };
                char text[64];

                (void)snprintf(text, sizeof(text), "%s", none[i]);
                for (char *at = text; *at; at++)
                        if (*at == '#')
                                *at = '1';
                if (verdict_read(text, count, &found) || found.n > 0)
                        fail_msg("%zu is taken", i);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read),
                cmocka_unit_test(test_people_get_the_rest),
                cmocka_unit_test(test_other_forms_are_none),
        };

        return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
