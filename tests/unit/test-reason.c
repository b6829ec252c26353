/* SPDX-License-Identifier: MIT */
/* What Apache 2.4.67, nginx 1.22, PHP-FPM 8.2 and bellhop-instance say when a test of a
 * configuration fails, and what of it is the reason. */
#include "unit.h"

#include "ctl/check/reason.h"

#define WARNINGS                                                                                  \
        "<4>the fence of carol has a gap: error\n"                                                \
        "[29-Nov-2026 09:00:00] NOTICE: configuration file /etc/error.conf test is "              \
        "successful\n"                                                                            \
        "\n"                                                                                      \
        "[Sun Nov 29 09:00:00.721758 2026] [so:warn] [pid 7:tid 7] AH01574: module error_module " \
        "is already loaded, skipping\n"                                                           \
        "AH00548: NameVirtualHost has no effect and will be removed /sites/error.conf:1\n"        \
        "AH00112: Warning: DocumentRoot [/srv/www/Syntax error on line 3 of x: y] does not "      \
        "exist\n"

#define NGINX     "2026/11/29 09:00:00 "
#define NGINX_END "nginx: configuration file /proc/self/fd/3 test failed\n"

#define FPM "[29-Nov-2026 09:00:00] "

static const struct {
        const char *said;
        const char *file;
        unsigned line;
        const char *what;
} cases[] = {
        { "AH00526: Syntax error on line 2 of /s/x.conf:\nInvalid command 'Frobnicate', perhaps\n",
          "/s/x.conf", 2, "Invalid command 'Frobnicate', perhaps" },
        { "AH00526: Syntax error on line 2 of /s/a: b.conf:\n[x] KeepAlive must be On or Off\n",
          "/s/a: b.conf", 2, "[x] KeepAlive must be On or Off" },
        { "AH00526: Syntax error on line 2 of /s/x.conf:\nSyntax error on line 9 of /y: no\n",
          "/s/x.conf", 2, "Syntax error on line 9 of /y: no" },
        { "apache2: Syntax error on line 7 of /i.conf: Syntax error on line 1 of /s/x.conf: "
          "/s/x.conf:4: <VirtualHost> was not closed.\n",
          "/s/x.conf", 4, "<VirtualHost> was not closed." },
        { "apache2: Syntax error on line 7 of /i.conf: Syntax error on line 1 of /s/x.conf: Cannot "
          "load /m.so into server: /m.so: cannot open shared object file\n",
          "/s/x.conf", 1, "Cannot load /m.so into server: /m.so: cannot open shared object file" },
        { "Syntax error on line 1 of /s/x.conf: no number and no program\n", "/s/x.conf", 1,
          "no number and no program" },
        { "AH00534: apache2: Configuration error: More than one MPM loaded.\n", NULL, 0,
          "AH00534: apache2: Configuration error: More than one MPM loaded." },
        { "AH00543: apache2: bad user name nobodyhere\n", NULL, 0,
          "AH00543: apache2: bad user name nobodyhere" },
        { "[Sun Nov 29 09:00:00.7 2026] [lua:emerg] [pid 7:tid 7] AH01482: no Lua\n"
          "AH00014: Configuration check failed\n",
          NULL, 0, "AH01482: no Lua" },
        { "mod_x needs mod_y\nAH00013: Pre-configuration failed\n", NULL, 0, "mod_x needs mod_y" },
        { FPM "ERROR: [/s/php.fpm:4] unknown entry 'frobnicate'\n" FPM
              "ERROR: failed to load configuration file '/s/php.fpm'\n" FPM
              "ERROR: FPM initialization failed\nPHP would not start: see above.\n",
          "/s/php.fpm", 4, "unknown entry 'frobnicate'" },
        { FPM "ALERT: [pool www] user has not been defined\n" FPM
              "ERROR: failed to post process the configuration\n" FPM
              "ERROR: FPM initialization failed\nPHP would not start: see above.\n",
          NULL, 0, "[pool www] user has not been defined" },
        { "PHP:  syntax error, unexpected end of file in Unknown on line 1\n" FPM
          "ERROR: failed to load configuration file '/s/php.fpm'\n" FPM
          "ERROR: FPM initialization failed\nPHP would not start: see above.\n",
          NULL, 0, "PHP:  syntax error, unexpected end of file in Unknown on line 1" },
        { "<3>can't read the settings of carol: Invalid argument\n", NULL, 0,
          "can't read the settings of carol: Invalid argument" },
        { "can't test carol: Cannot allocate memory", NULL, 0,
          "can't test carol: Cannot allocate memory" },
        { NGINX "[warn] 7#7: conflicting server name \"x\" on 0.0.0.0:80, ignored\n" NGINX
                "[emerg] 7#7: unknown directive \"error\" in /s/x.conf:2\n" NGINX_END,
          "/s/x.conf", 2, "unknown directive \"error\"" },
        { "nginx: [emerg] duplicate location \"/ in /a:3\" in /s/a in b:1.conf:7\n" NGINX_END,
          "/s/a in b:1.conf", 7, "duplicate location \"/ in /a:3\"" },
        { NGINX "[emerg] 7#7: unknown directive \"x\nAH00526: Syntax error on line 9 of /y:\nno\n"
                "nginx: [emerg] no in /y:9\" in /s/x.conf:2\n" NGINX_END,
          "/s/x.conf", 2, "unknown directive \"x" },
        { NGINX "[emerg] 7#7: host not found in upstream \"php\" in /proc/self/fd/3:7\n" NGINX_END,
          NULL, 0, "host not found in upstream \"php\"" },
        { NGINX "[emerg] 7#7: mkdir() \"/c\" failed (13: Permission denied)\n" NGINX_END, NULL, 0,
          "mkdir() \"/c\" failed (13: Permission denied)" },
        { NGINX "[emerg] 7#7: cut off in /s/x.conf:2\n", "/s/x.conf", 2, "cut off" },
        { "Segmentation fault\r\n", NULL, 0, "Segmentation fault" },
        { "", NULL, 0, "the test failed without a message" },
};

static void assert_reason(const char *before, size_t i)
{
        _cleanup_free_ char *said = NULL;
        Reason reason;

        assert_true(asprintf(&said, "%s%s", before, cases[i].said) >= 0);
        assert_int_equal(reason_find(said, &reason), 0);
        assert_string_equal(reason.what, cases[i].what);
        assert_string_equal(reason.file ? reason.file : "", cases[i].file ? cases[i].file : "");
        assert_int_equal(reason.line, cases[i].line);
        reason_done(&reason);
}

static void test_reason(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_reason("", i);
}

/* A warning is never the reason, whatever words it has. */
static void test_warnings_before_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_reason(WARNINGS, i);
}

/* Whatever bytes it is. */
static void test_any_part_of_it(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                for (size_t size = strlen(cases[i].said); size > 0; size--) {
                        _cleanup_free_ char *said = strndup(cases[i].said, size);
                        Reason reason;

                        assert_int_equal(reason_find(said, &reason), 0);
                        assert_non_null(reason.what);
                        reason_done(&reason);
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_reason),
                cmocka_unit_test(test_warnings_before_it),
                cmocka_unit_test(test_any_part_of_it),
        };

        return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
