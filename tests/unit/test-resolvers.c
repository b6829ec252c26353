/* SPDX-License-Identifier: MIT */
/* Tests of what is read from /etc/resolv.conf. */
#include "unit.h"

#include <arpa/inet.h>

#include "firewall/resolvers.h"
#include "util/cleanup.h"

static const struct {
        const char *text;
        size_t size;
        const char *addresses; /* with a blank behind each */
} cases[] = {
        { S("nameserver 192.0.2.1\nnameserver 2001:db8::1\n"), "::ffff:192.0.2.1 2001:db8::1 " },
        { S("# a comment\nsearch example\nnameserver\t127.0.0.53  # here\noptions edns0"),
          "::ffff:127.0.0.53 " },
        { S("nameserver 192.0.2.1"), "::ffff:192.0.2.1 " },
        { S("nameserver fe80::1%eth0\n"), "fe80::1 " },
        { S("nameserver 192.0.2.1\nnameserver 192.0.2.2\nnameserver 192.0.2.3\nnameserver "
            "192.0.2.4\n"),
          "::ffff:192.0.2.1 ::ffff:192.0.2.2 ::ffff:192.0.2.3 " },
        /* Nothing that names a server: the C library asks this machine. */
        { S(""), "::ffff:127.0.0.1 " },
        { S("nameserver\nnameserver \nnameservers 192.0.2.1\n nameserver 192.0.2.1\n"),
          "::ffff:127.0.0.1 " },
        { S("nameserver host.example\nnameserver 192.0.2.1/24\nnameserver 192.0.2.1\0.2\n"),
          "::ffff:127.0.0.1 " },
        { S("nameserver 192.0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0\n"),
          "::ffff:127.0.0.1 " },
};

static void test_name_servers(void **state)
{
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[RESOLVERS_MAX * (INET6_ADDRSTRLEN + 1) + 1] = "";
                Resolvers resolvers;

                resolvers_parse((Span){ .data = (const uint8_t *)cases[i].text,
                                        .size = cases[i].size },
                                &resolvers);
                for (size_t j = 0; j < resolvers.n; j++) {
                        char *end = text + strlen(text);

                        assert_non_null(
                                inet_ntop(AF_INET6, &resolvers.ips[j], end, INET6_ADDRSTRLEN));
                        strcat(text, " ");
                }
                assert_string_equal(text, cases[i].addresses);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_name_servers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
