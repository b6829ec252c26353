/* SPDX-License-Identifier: MIT */
/* Tests of how one setting of a file is changed, and nothing else. */
#include "unit.h"

#include "ctl/change/edit.h"

#define FILE_OF(suspended) "# top\n[Instance]\n  Host = a.example   # ours\n" suspended "\n;end\n"

static const struct {
        const char *before;
        const char *yes; /* NULL: as before */
        const char *no;
} cases[] = {
        { FILE_OF(""), FILE_OF("") "Suspended=yes\n", NULL },
        { "[Instance]\nHost=a", "[Instance]\nHost=a\nSuspended=yes\n", NULL },
        { "", "Suspended=yes\n", NULL },
        { FILE_OF("Suspended=yes\n"), NULL, FILE_OF("") },
        { FILE_OF("\t Suspended =  on\t \n"), FILE_OF("\t Suspended =  yes\t \n"), FILE_OF("") },
        { FILE_OF("Suspended=no # unpaid\n"), FILE_OF("Suspended=yes # unpaid\n"), NULL },
        { FILE_OF("Suspended=1 #unpaid\n"), FILE_OF("Suspended=yes #unpaid\n"),
          FILE_OF("Suspended=no #unpaid\n") },
        /* All of them, since the last one counts. */
        { "Suspended=yes\nHost=a\nSuspended=yes", NULL, "Host=a\n" },
        { "Suspended=no # a\nHost=a\nSuspended=off\n", "Suspended=yes # a\nHost=a\nSuspended=yes\n",
          "Suspended=no # a\nHost=a\n" },
        /* Not a setting. */
        { "#Suspended=yes\n;Suspended=yes\nsuspended=yes\nHost=Suspended=yes\n",
          "#Suspended=yes\n;Suspended=yes\nsuspended=yes\nHost=Suspended=yes\nSuspended=yes\n",
          NULL },
};

static void expect(const char *before, const char *value, bool is_default, const char *after)
{
        char *edited = edit_setting(span_from_string(before), "Suspended", value, is_default);

        assert_non_null(edited);
        assert_string_equal(edited, after ? after : before);
        free(edited);
}

static void test_all_else_stays(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                expect(cases[i].before, "yes", false, cases[i].yes);
                expect(cases[i].before, "no", true, cases[i].no);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_else_stays),
        };

        return cmocka_run_group_tests_name("ctl-edit", tests, NULL, NULL);
}
