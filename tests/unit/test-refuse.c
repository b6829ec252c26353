/* SPDX-License-Identifier: MIT */
/* Tests of the words in which a connection is refused. */
#include "unit.h"

#include "refuse/refuse.h"

static const struct {
        const char *name;
        uint8_t alert;
        const char *status;
        bool later;
} expected[REFUSE_REASON_COUNT] = {
        [REFUSE_UNKNOWN_HOST] = { "unknown-host", 112, "421 Misdirected Request", false },
        [REFUSE_NO_HOST] = { "no-host", 112, "400 Bad Request", false },
        [REFUSE_MALFORMED] = { "malformed", 50, "400 Bad Request", false },
        [REFUSE_TOO_LARGE] = { "too-large", 50, "431 Request Header Fields Too Large", false },
        [REFUSE_TIMEOUT] = { "timeout", 40, "408 Request Timeout", false },
        [REFUSE_UNAVAILABLE] = { "unavailable", 80, "503 Service Unavailable", true },
        [REFUSE_OVERLOAD] = { "overload", 80, "503 Service Unavailable", true },
        [REFUSE_SOURCE_LIMIT] = { "source-limit", 80, "429 Too Many Requests", false },
        [REFUSE_INSTANCE_LIMIT] = { "instance-limit", 80, "503 Service Unavailable", true },
        [REFUSE_PLAIN_HTTP] = { "plain-http", 80, "403 Forbidden", false },
        [REFUSE_SUSPENDED] = { "suspended", 80, "503 Service Unavailable", false },
};

/* Terminated, so that it can be searched as a string. */
static size_t reply(RefuseReason reason, enum bellhop_protocol protocol,
                    char ret[static REFUSE_REPLY_MAX + 1])
{
        const size_t size = refuse_reply(reason, protocol, 0, ret);

        assert_in_range(size, 1, REFUSE_REPLY_MAX);
        ret[size] = 0;
        return size;
}

static void test_names(void **state)
{
        (void)state;
        for (RefuseReason i = 0; i < REFUSE_REASON_COUNT; i++) {
                assert_string_equal(refuse_reason_name(i), expected[i].name);
                assert_non_null(refuse_reason_cause(expected[i].name));
                for (RefuseReason j = 0; j < i; j++)
                        assert_string_not_equal(refuse_reason_name(i), refuse_reason_name(j));
        }
}

static void test_unknown_name(void **state)
{
        assert_null(refuse_reason_cause("unknown"));
        assert_null(refuse_reason_cause(""));
}

static void test_tls(void **state)
{
        (void)state;
        for (RefuseReason i = 0; i < REFUSE_REASON_COUNT; i++) {
                const uint8_t alert[] = { 21, 3, 3, 0, 2, 2, expected[i].alert };
                char text[REFUSE_REPLY_MAX + 1];

                assert_int_equal(reply(i, BELLHOP_PROTOCOL_TLS, text), sizeof(alert));
                assert_memory_equal(text, alert, sizeof(alert));
        }
}

static void test_alert_of_the_parser(void **state)
{
        char text[REFUSE_REPLY_MAX];

        (void)state;
        assert_int_equal(refuse_reply(REFUSE_MALFORMED, BELLHOP_PROTOCOL_TLS, 10, text), 7);
        assert_memory_equal(text, ((uint8_t[]){ 21, 3, 3, 0, 2, 2, 10 }), 7);
}

/* Every line ends in CR LF, every field is "Name: value" and appears once. */
static void check_fields(char *head)
{
        char seen[16][40], *rest = head, *line;
        size_t n = 0;

        while ((line = strsep(&rest, "\n")) && line[0] != 0) {
                const size_t size = strlen(line);
                char *colon = strstr(line, ": ");

                assert_int_equal(line[size - 1], '\r');
                assert_int_equal(strcspn(line, "\r"), size - 1);
                assert_non_null(colon);
                assert_true((size_t)(colon - line) < sizeof(seen[0]));
                *colon = 0;
                for (size_t i = 0; i < n; i++)
                        assert_string_not_equal(seen[i], line);
                assert_true(n < ELEMENTSOF(seen));
                strcpy(seen[n++], line);
        }
        assert_in_range(n, 4, 5);
}

static void check_http(RefuseReason reason, enum bellhop_protocol protocol)
{
        char text[REFUSE_REPLY_MAX + 1], start[80], *body, *length, *end;
        const size_t size = reply(reason, protocol, text);

        assert_int_equal(strlen(text), size);
        snprintf(start, sizeof(start), "HTTP/1.1 %s\r\n", expected[reason].status);
        assert_memory_equal(text, start, strlen(start));

        body = strstr(text, "\r\n\r\n");
        assert_non_null(body);
        body += 4;
        length = strstr(text, "\r\nContent-Length: ");
        assert_true(length && length < body);
        assert_int_equal(strtoul(length + strlen("\r\nContent-Length: "), &end, 10), strlen(body));
        assert_memory_equal(end, "\r\n", 2);
        assert_true(strlen(body) > 1 && body[strlen(body) - 1] == '\n');
        assert_null(strchr(body, '<'));

        assert_non_null(strstr(text, "\r\nConnection: close\r\n"));
        assert_non_null(strstr(text, "\r\nCache-Control: no-store\r\n"));
        assert_non_null(strstr(text, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
        assert_int_equal(strstr(text, "\r\nRetry-After: 5\r\n") != NULL, expected[reason].later);
        body[-2] = 0;
        check_fields(text + strlen(start));
}

static void test_http(void **state)
{
        (void)state;
        for (RefuseReason i = 0; i < REFUSE_REASON_COUNT; i++) {
                check_http(i, BELLHOP_PROTOCOL_HTTP);
                check_http(i, BELLHOP_PROTOCOL_UNKNOWN);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names), cmocka_unit_test(test_unknown_name),
                cmocka_unit_test(test_tls),   cmocka_unit_test(test_alert_of_the_parser),
                cmocka_unit_test(test_http),
        };

        return cmocka_run_group_tests_name("refuse", tests, NULL, NULL);
}
