/* SPDX-License-Identifier: MIT */
/* Tests of which lines name a customer. */
#include "unit.h"

#include "ctl/change/mentions.h"

static const struct {
        const char *line;
        bool names;
} cases[] = {
        { "DocumentRoot /srv/www/alice", true },
        { "DocumentRoot /srv/www/alice/public", true },
        { "<Directory \"/srv/www/alice\">", true },
        { "php_admin_value[open_basedir] = /srv/www/alice:/tmp", true },
        { "user=alice", true },
        { "alice", true },
        { "ErrorDocument 404 \"This is alice.\"", true },
        { "SSLCertificateFile /run/credentials/bellhop@alice.service/other.pem", true },
        { "/srv/www/alice-2 and /srv/www/alice", true },
        { "", false },
        { "\t# /srv/www/alice", false },
        { "; alice", false },
        { "ServerName alice.example", false },
        { "ServerName www.alice.example", false },
        { "ServerAdmin alice@example.org", false },
        { "ServerAdmin post@alice", false },
        { "DocumentRoot /srv/www/alice2", false },
        { "DocumentRoot /srv/www/malice", false },
        { "DocumentRoot /srv/www/alice-old", false },
        { "DocumentRoot /srv/www/alice_old", false },
        { "After=bellhop@alice2.service", false },
        { "After=bellhop@alice", false },
        { "Alice", false },
};

static void test_lines(void **state)
{
        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                if (mention_is_in(span_from_string(cases[i].line), "alice") != cases[i].names)
                        fail_msg("'%s' %s", cases[i].line,
                                 cases[i].names ? "is not found" : "is found");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
        };

        return cmocka_run_group_tests_name("ctl-mentions", tests, NULL, NULL);
}
