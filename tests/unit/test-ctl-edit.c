/* SPDX-License-Identifier: MIT */
/* Tests of how one setting of a file is changed, and nothing else. */
#include "unit.h"

#include "ctl/change/edit.h"

#define FILE_OF(suspended) "# top\n[Instance]\n  Host = a.example   # ours\n" suspended "\n;end\n"

static const struct {
        const char *before;
        const char *yes;  /* NULL: as before */
        const char *none; /* without a value; NULL: as before */
} cases[] = {
        { FILE_OF(""), FILE_OF("") "Suspended=yes\n", NULL },
        { "[Instance]\nHost=a", "[Instance]\nHost=a\nSuspended=yes\n", NULL },
        { "", "Suspended=yes\n", NULL },
        { FILE_OF("Suspended=yes\n"), NULL, FILE_OF("") },
        { FILE_OF("\t Suspended =  on\t \n"), FILE_OF("\t Suspended =  yes\t \n"), FILE_OF("") },
        { FILE_OF("Suspended=no # unpaid\n"), FILE_OF("Suspended=yes # unpaid\n"),
          FILE_OF("# unpaid\n") },
        { FILE_OF(" Suspended=1 #unpaid\n"), FILE_OF(" Suspended=yes #unpaid\n"),
          FILE_OF(" #unpaid\n") },
        { FILE_OF("Suspended= \n"), FILE_OF("Suspended=yes \n"), FILE_OF("") },
        /* One line is left of several. */
        { "Suspended=yes\nHost=a\nSuspended=yes", "Suspended=yes\nHost=a\n", "Host=a\n" },
        { "Suspended=no # a\nHost=a\nSuspended=off\n Suspended=off # b",
          "Suspended=yes # a\nHost=a\n # b", "# a\nHost=a\n # b" },
        /* Not a setting. */
        { "#Suspended=yes\n;Suspended=yes\nsuspended=yes\nHost=Suspended=yes\n",
          "#Suspended=yes\n;Suspended=yes\nsuspended=yes\nHost=Suspended=yes\nSuspended=yes\n",
          NULL },
};

static void expect(const char *before, const char *key, const char *value, const char *after)
{
        char *edited = edit_setting(span_from_string(before), key, value);

        assert_non_null(edited);
        assert_string_equal(edited, after ? after : before);
        free(edited);
}

static void test_all_else_stays(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                expect(cases[i].before, "Suspended", "yes", cases[i].yes);
                expect(cases[i].before, "Suspended", NULL, cases[i].none);
        }
}

static void test_lists_become_one_line(void **state)
{
        static const char before[] = "[Instance]\n# the old ones\nHost=a.example b.example  # ab\n"
                                     "Http=serve\n\tHost=c.example\n;c\nHost=d.example # d\n";

        (void)state;
        expect(before, "Host", "x.example *.y.example",
               "[Instance]\n# the old ones\nHost=x.example *.y.example  # ab\n"
               "Http=serve\n;c\n# d\n");
        expect(before, "Host", NULL, "[Instance]\n# the old ones\n# ab\nHttp=serve\n;c\n# d\n");
        expect(before, "Address", "192.0.2.7",
               "[Instance]\n# the old ones\nHost=a.example b.example  # ab\nHttp=serve\n"
               "\tHost=c.example\n;c\nHost=d.example # d\nAddress=192.0.2.7\n");
        expect(before, "Address", NULL, NULL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_else_stays),
                cmocka_unit_test(test_lists_become_one_line),
        };

        return cmocka_run_group_tests_name("ctl-edit", tests, NULL, NULL);
}
