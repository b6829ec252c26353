/* SPDX-License-Identifier: MIT */
/* Tests of lines that a process gathers: they arrive together, whole, in order, and also if it
 * crashes. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "instance/log-lines.h"
#include "util/journal.h"

#define SEPARATOR LINES_SEPARATOR

static int ends[2];
static char journal[4096];

/* Instead of util/journal.c's. */
bool journal_write(const JournalLine *line)
{
        assert_true(strlen(journal) + strlen(line->text) + 2 < sizeof(journal));
        strcat(strcat(journal, line->text), "\n");
        return true;
}

static int setup(void **state)
{
        journal[0] = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
        log_lines_init("alice");
        log_lines_use(ends[0]);
        log_lines_join(1);
        return 0;
}

static int teardown(void **state)
{
        close_fd(ends[0]);
        close_fd(ends[1]);
        return 0;
}

static void assert_message(const char *expected)
{
        char text[64 * 1024];
        const ssize_t n = recv(ends[1], text, sizeof(text) - 1, MSG_DONTWAIT);

        if (!expected) {
                assert_int_equal(n, -1);
                return;
        }
        assert_true(n >= 0);
        text[n] = 0;
        assert_string_equal(text, expected);
}

static bool gather(const char *text)
{
        return log_lines_gather(text, strlen(text));
}

static void test_together(void **state)
{
        assert_true(gather("one"));
        log_lines_flush();
        assert_message("<134>one");
        assert_true(gather("one"));
        assert_true(gather("two"));
        assert_true(gather("three"));
        assert_message(NULL);
        log_lines_flush();
        assert_message("<150>one" SEPARATOR "two" SEPARATOR "three");
        log_lines_flush();
        assert_message(NULL);
}

/* All that arrives, without priorities. */
static void receive_all(char *ret, size_t size)
{
        char text[64 * 1024];
        ssize_t n;

        ret[0] = 0;
        while ((n = recv(ends[1], text, sizeof(text) - 1, MSG_DONTWAIT)) > 0) {
                const char *line = strchr(text, '>') + 1;

                text[n] = 0;
                assert_true(strlen(ret) + strlen(line) + sizeof(SEPARATOR) <= size);
                if (ret[0])
                        strcat(ret, SEPARATOR);
                strcat(ret, line);
        }
}

/* Around the sizes for which there is room. */
static void test_order(void **state)
{
        static char text[40000], expected[41000], received[41000];

        for (size_t size = 8000; size < sizeof(text); size = size < 17000 ? size + 7 : size * 2) {
                memset(text, 'x', size);
                text[size] = 0;
                (void)gather("first");
                (void)gather(text);
                (void)gather("last");
                log_lines_flush();
                (void)snprintf(expected, sizeof(expected), "first" SEPARATOR "%s" SEPARATOR "last",
                               text);
                receive_all(received, sizeof(received));
                assert_string_equal(received, expected);
        }
}

static void test_left_by_a_crash(void **state)
{
        const pid_t child = fork();

        if (child == 0) {
                log_lines_join(2);
                (void)gather("one");
                (void)gather("two");
                _exit(0);
        }
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_message(NULL);
        log_lines_join(3);
        assert_message(NULL);
        log_lines_join(2);
        assert_message("<150>one" SEPARATOR "two");
}

static void test_too_many_processes(void **state)
{
        log_lines_join(64);
        /* As before. */
        assert_true(gather("one"));
        log_lines_flush();
        assert_message("<134>one");
}

static void test_nobody_listens(void **state)
{
        ends[1] = close_fd(ends[1]);
        (void)gather("one");
        (void)gather("two");
        log_lines_flush();
        assert_non_null(strstr(journal, "the socket of bellhop-log is gone"));
        assert_non_null(strstr(journal, "\none\ntwo\n"));
}

static void test_each_is_counted(void **state)
{
        int n = 0;

        assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
        do {
                (void)gather("one");
                (void)gather("two");
                (void)gather("three");
                log_lines_flush();
                n++;
        } while (!journal[0]);
        assert_non_null(strstr(journal, "are being lost"));
        while (recv(ends[1], (char[64]){ 0 }, 64, MSG_DONTWAIT) >= 0)
                n--;
        assert_int_equal(n, 1);
        (void)gather("four");
        log_lines_flush();
        assert_message("<134>four");
        assert_non_null(strstr(journal, "\n3 lines of the log files were lost"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_together, setup, teardown),
                cmocka_unit_test_setup_teardown(test_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_left_by_a_crash, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_many_processes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_each_is_counted, setup, teardown),
                /* The last one: it is not tried again. */
                cmocka_unit_test_setup_teardown(test_nobody_listens, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
