/* SPDX-License-Identifier: MIT */
/* Tests of the names of files that no server sends. */
#include "unit.h"

#include "instance/file-names.h"

static void test_php(void **state)
{
        static const char *const are[] = { "x.php",      "/x/y.PHP",  "/x.PhP5",
                                           "x.jpg.php0", "x\n/y.php", "/x\n.phtml",
                                           ".php",       "x.pHt",     "x.phar" };
        static const char *const are_not[] = { "",        "/",       "php",     "x.ph",
                                               "x.php10", "x.php/y", "x.phpx",  "x.php.en",
                                               "x.php~",  "x.phars", "x.php\n", "x.phps" };

        for (size_t i = 0; i < ELEMENTSOF(are); i++)
                assert_true(file_name_is_php(are[i]) && file_name_is_program(are[i]));
        for (size_t i = 0; i < ELEMENTSOF(are_not); i++)
                assert_false(file_name_is_php(are_not[i]));
}

static void test_programs(void **state)
{
        static const char *const are[] = { "x.cgi", "/x/y.CGI", "/x.Pl", "a.pl.pl", "x.phps" };
        static const char *const are_not[] = { "x.html", "x.plx", "/x.cgi/y.css", "cgi", "x.pl/" };

        for (size_t i = 0; i < ELEMENTSOF(are); i++)
                assert_true(file_name_is_program(are[i]));
        for (size_t i = 0; i < ELEMENTSOF(are_not); i++)
                assert_false(file_name_is_program(are_not[i]));
}

static void test_settings(void **state)
{
        static const char *const are[] = { ".htaccess", "/x/.htpasswd", ".htaccess.bak",
                                           "/.user.ini", "/x/.user.ini~" };
        static const char *const are_not[] = { "x.htaccess", "/.ht/x", ".h", "htaccess",
                                               "user.ini" };

        for (size_t i = 0; i < ELEMENTSOF(are); i++)
                assert_true(file_name_is_settings(are[i]));
        for (size_t i = 0; i < ELEMENTSOF(are_not); i++)
                assert_false(file_name_is_settings(are_not[i]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_php),
                cmocka_unit_test(test_programs),
                cmocka_unit_test(test_settings),
        };

        return cmocka_run_group_tests_name("file-names", tests, NULL, NULL);
}
