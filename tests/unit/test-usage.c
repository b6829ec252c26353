/* SPDX-License-Identifier: MIT */
/* Tests of what bellhop-usage understands, and of what it keeps. */
#include "unit.h"

#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "usage/ledger.h"
#include "util/text.h"

#define NOVEMBER 1796000000 /* 2026-11-29 */
#define DECEMBER 1796200000

#define BOOT "0123456789abcdef0123456789abcdef"

/* --- messages --- */

static void test_message(void **state)
{
        UsageMessage message, again;
        size_t size;

        usage_message_init(&message, USAGE_HANDOFFS);
        message.n = 2;
        message.records[0] = (UsageRecord){ 7, "alice", 1 };
        message.records[1] = (UsageRecord){ UINT64_MAX, "a-name-of-thirty-one-characters", 0 };
        size = usage_message_size(&message);
        assert_true(usage_message_parse(guarded_span(&message, size), &again));
        assert_memory_equal(&again, &message, size);
        for (size_t i = 0; i < size; i++)
                assert_false(usage_message_parse(guarded_span(&message, i), &again));
        assert_false(usage_message_parse((Span){ (uint8_t *)&message, sizeof(message) }, &again));
        message.records[0].instance[USAGE_NAME_MAX - 1] = 'x';
        memset(message.records[0].instance, 'x', USAGE_NAME_MAX);
        assert_false(usage_message_parse(guarded_span(&message, size), &again));
        usage_message_init(&message, USAGE_KINDS);
        assert_false(
                usage_message_parse(guarded_span(&message, usage_message_size(&message)), &again));
        usage_message_init(&message, USAGE_HANDOFFS);
        message.n = USAGE_RECORDS_MAX + 1;
        assert_false(usage_message_parse(guarded_span(&message, sizeof(message)), &again));
}

/* --- the kernel's --- */

typedef struct SaidSocket {
        struct nlmsghdr header;
        struct inet_diag_msg socket;
        struct nlattr short_attribute;
        uint8_t protocol[4];
        struct nlattr attribute;
        struct tcp_info info;
} __attribute__((packed)) SaidSocket;

static SaidSocket said_socket(uint64_t cookie, uint64_t sent, uint64_t received)
{
        SaidSocket said = {
                .header = { .nlmsg_len = sizeof(said), .nlmsg_type = SOCK_DIAG_BY_FAMILY },
                .short_attribute = { .nla_len = 5, .nla_type = INET_DIAG_PROTOCOL },
                .attribute = { .nla_len = sizeof(struct nlattr) + sizeof(struct tcp_info),
                               .nla_type = INET_DIAG_INFO },
        };

        said.socket.id.idiag_cookie[0] = (uint32_t)cookie;
        said.socket.id.idiag_cookie[1] = (uint32_t)(cookie >> 32);
        said.info.tcpi_bytes_acked = sent;
        said.info.tcpi_bytes_received = received;
        return said;
}

static void test_diag(void **state)
{
        SaidSocket said[2] = { said_socket(UINT64_C(1) << 40 | 3, 11, 22), said_socket(5, 1, 2) };
        DiagMessage message;
        Span rest = guarded_span(said, sizeof(said));

        assert_true(diag_next(&rest, &message));
        assert_int_equal(message.kind, DIAG_SOCKET);
        assert_true(message.cookie == (UINT64_C(1) << 40 | 3) && message.sent == 11 &&
                    message.received == 22);
        assert_true(diag_next(&rest, &message));
        assert_true(message.kind == DIAG_SOCKET && message.cookie == 5);
        assert_false(diag_next(&rest, &message));
        for (size_t i = 0; i < sizeof(said); i++) {
                rest = guarded_span(said, i);
                while (diag_next(&rest, &message))
                        ;
        }
        /* An older kernel says less: that is not known, not 0. */
        said[0].attribute.nla_len =
                sizeof(struct nlattr) + offsetof(struct tcp_info, tcpi_bytes_received);
        rest = guarded_span(said, sizeof(said[0]));
        assert_true(diag_next(&rest, &message));
        assert_int_equal(message.kind, DIAG_OTHER);
        said[0].header.nlmsg_type = NLMSG_DONE;
        rest = guarded_span(said, sizeof(said[0]));
        assert_true(diag_next(&rest, &message));
        assert_int_equal(message.kind, DIAG_DONE);
        said[0].header.nlmsg_len = 3;
        rest = guarded_span(said, sizeof(said[0]));
        assert_false(diag_next(&rest, &message));
}

/* --- the table --- */

#define COOKIES 500

static bool is_odd(const Open *open, void *userdata)
{
        return open->cookie % 2 == 1;
}

static void test_table(void **state)
{
        OpenTable table = { .max = COOKIES };
        bool there[COOKIES + 1] = { false };
        unsigned random = 1;

        for (int i = 0; i < 100000; i++) {
                uint64_t cookie;
                Open *open;

                random = random * 1103515245 + 12345;
                cookie = 1 + (random >> 8) % COOKIES;
                open = open_table_find(&table, cookie);
                assert_true((open != NULL) == there[cookie]);
                if (open)
                        open_table_remove(&table, open);
                else
                        assert_non_null(open_table_add(&table, cookie));
                there[cookie] = !there[cookie];
        }
        for (uint64_t cookie = 1; cookie <= COOKIES; cookie++)
                if (!there[cookie])
                        assert_non_null(open_table_add(&table, cookie));
        assert_null(open_table_add(&table, COOKIES + 1));
        open_table_sweep(&table, is_odd, NULL);
        open_table_sweep(&table, is_odd, NULL);
        assert_int_equal(table.n, COOKIES / 2);
        open_table_done(&table);
}

/* --- the ledger --- */

static int set_up(void **state)
{
        char *dir = strdup("/tmp/bellhop-test-usage-XXXXXX");

        assert_non_null(dir);
        assert_non_null(mkdtemp(dir));
        *state = dir;
        return 0;
}

static int tear_down(void **state)
{
        static const char *const names[] = { "lock", "2026-11", "2026-12" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                char *path = text_format("%s/%s", (char *)*state, names[i]);

                (void)unlink(path);
                free(path);
        }
        assert_int_equal(rmdir(*state), 0);
        free(*state);
        return 0;
}

static Ledger opened(const char *dir, const char *boot, time_t now)
{
        Ledger ledger = { .accounts_max = 1000, .open.max = 1000 };

        assert_int_equal(ledger_open(&ledger, dir, boot, now), 0);
        return ledger;
}

static const Account *account_of(const Ledger *ledger, const char *name)
{
        for (size_t i = 0; i < ledger->n_accounts; i++)
                if (strcmp(ledger->accounts[i].name, name) == 0)
                        return &ledger->accounts[i];
        return NULL;
}

static Account used_by(const Ledger *ledger, const char *name)
{
        const Account *account = account_of(ledger, name);

        assert_non_null(account);
        return account ? *account : (Account){ .sent = 0 };
}

static void assert_used(const Ledger *ledger, const char *name, uint64_t sent, uint64_t received)
{
        const Account account = used_by(ledger, name);

        assert_int_equal(account.sent, sent);
        assert_int_equal(account.received, received);
}

static const DiagMessage *said(uint64_t cookie, uint64_t sent, uint64_t received)
{
        static DiagMessage message;

        message = (DiagMessage){ DIAG_SOCKET, cookie, sent, received };
        return &message;
}

static void test_connections(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        ledger_see(&ledger, said(1, 100, 10));
        assert_used(&ledger, "alice", 100, 10);
        ledger_end(&ledger, said(1, 150, 10));
        assert_used(&ledger, "alice", 150, 10);
        /* The end comes first. */
        ledger_end(&ledger, said(2, 7, 3));
        assert_int_equal(ledger.n_orphans, 1);
        ledger_hand_off(&ledger, 2, "bob", 1);
        assert_used(&ledger, "bob", 7, 3);
        /* Somebody else's. */
        ledger_end(&ledger, said(3, 1000, 1000));
        ledger_see(&ledger, said(4, 1000, 1000));
        for (int i = 0; i < 4; i++)
                assert_int_equal(ledger_tick(&ledger, NOVEMBER), 0);
        assert_int_equal(ledger.n_orphans, 0);
        assert_int_equal(ledger.open.n, 0);
        assert_true(ledger.head.is_complete);
        ledger_done(&ledger);
}

/* By a customer's own server, which disconnects its sockets. */
static void test_figures_that_were_set_back(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        ledger_end(&ledger, said(1, 0, 0));
        assert_used(&ledger, "alice", 100, 10);
        assert_int_equal(used_by(&ledger, "alice").n_reset, 1);
        ledger_hand_off(&ledger, 2, "alice", 1);
        ledger_end(&ledger, said(2, 0, 0));
        ledger_end(&ledger, said(3, 0, 0));
        ledger_hand_off(&ledger, 3, "alice", 1);
        assert_int_equal(used_by(&ledger, "alice").n_reset, 3);
        /* By its address, before a byte came. */
        ledger_hand_off(&ledger, 4, "bob", 0);
        ledger_end(&ledger, said(4, 0, 0));
        assert_int_equal(used_by(&ledger, "bob").n_reset, 0);
        /* One that never ends, and is never seen. */
        ledger_hand_off(&ledger, 5, "bob", 1);
        for (int i = 0; i < 100; i++)
                assert_int_equal(ledger_tick(&ledger, NOVEMBER), 0);
        assert_int_equal(used_by(&ledger, "bob").n_reset, 1);
        assert_int_equal(ledger.open.n, 0);
        assert_true(ledger.head.is_complete);
        ledger_done(&ledger);
}

static void test_many_accounts(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);
        char name[USAGE_NAME_MAX];

        for (uint64_t i = 1; i <= 1000; i++) {
                (void)snprintf(name, sizeof(name), "c%d", (int)i);
                ledger_hand_off(&ledger, i, name, 1);
                ledger_end(&ledger, said(i, i, 1));
        }
        assert_used(&ledger, "c1", 1, 1);
        assert_used(&ledger, "c1000", 1000, 1);
        assert_true(ledger.head.is_complete);
        ledger_hand_off(&ledger, 1001, "one-too-many", 1);
        assert_false(ledger.head.is_complete);
        assert_int_equal(ledger.n_missed, 1);
        ledger_done(&ledger);
}

static void test_restart(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        ledger_add_cpu(&ledger, "alice", 77, 5000);
        assert_int_equal(ledger_tick(&ledger, NOVEMBER), 0);
        ledger_add_cpu(&ledger, "alice", 77, 6000);
        ledger_add_requests(&ledger, "alice", 12, 3);
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);

        ledger = opened(*state, BOOT, NOVEMBER + 60);
        assert_true(ledger.head.is_complete);
        ledger_end(&ledger, said(1, 160, 20));
        assert_used(&ledger, "alice", 160, 20);
        /* What had run before anything was counted is not ours. */
        assert_int_equal(used_by(&ledger, "alice").cpu_nsec, 1000);
        ledger_add_cpu(&ledger, "alice", 77, 6500);
        ledger_add_cpu(&ledger, "alice", 78, 100);
        assert_int_equal(used_by(&ledger, "alice").cpu_nsec, 1600);
        assert_true(ledger_is_reporter(&ledger, "alice", 12));
        assert_false(ledger_is_reporter(&ledger, "alice", 13));
        assert_false(ledger_is_reporter(&ledger, "bob", 12));
        ledger_add_requests(&ledger, "alice", 12, 5);
        ledger_add_requests(&ledger, "alice", 13, 2);
        assert_int_equal(used_by(&ledger, "alice").requests, 7);
        assert_int_equal(ledger_save(&ledger, true), 0);
        ledger_done(&ledger);

        /* It was killed. */
        ledger = opened(*state, BOOT, NOVEMBER + 120);
        assert_false(ledger.head.is_complete);
        assert_used(&ledger, "alice", 160, 20);
        ledger_done(&ledger);
}

static void test_another_socket(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_use_socket(&ledger, 5);
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);
        ledger = opened(*state, "another", NOVEMBER);
        ledger_use_socket(&ledger, 6);
        assert_true(ledger.head.is_complete);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, NOVEMBER);
        ledger_use_socket(&ledger, 5);
        assert_true(ledger.head.is_complete);
        ledger_use_socket(&ledger, 6);
        assert_false(ledger.head.is_complete);
        ledger_done(&ledger);
}

static void test_another_boot(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);
        /* A cookie of another boot is another connection. */
        ledger = opened(*state, "another", NOVEMBER);
        assert_true(ledger.head.is_complete);
        assert_int_equal(ledger.open.n, 0);
        ledger_hand_off(&ledger, 1, "bob", 1);
        ledger_end(&ledger, said(1, 5, 5));
        assert_used(&ledger, "bob", 5, 5);
        assert_used(&ledger, "alice", 100, 10);
        ledger_done(&ledger);
}

static void test_month(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_lose(&ledger);
        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        assert_int_equal(ledger_tick(&ledger, DECEMBER), 0);
        assert_string_equal(ledger.month, "2026-12");
        assert_true(ledger.head.is_complete);
        ledger_end(&ledger, said(1, 130, 11));
        assert_used(&ledger, "alice", 30, 1);
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, NOVEMBER);
        assert_used(&ledger, "alice", 100, 10);
        assert_false(ledger.head.is_complete);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, DECEMBER);
        assert_used(&ledger, "alice", 30, 1);
        ledger_done(&ledger);
}

/* Restarted in a new month, it still knows what was going on. */
static void test_month_begins_while_it_does_not_run(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, DECEMBER);
        ledger_end(&ledger, said(1, 130, 11));
        assert_used(&ledger, "alice", 30, 1);
        ledger_done(&ledger);
}

static void test_removed_customer(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "alice", 1);
        ledger_see(&ledger, said(1, 100, 10));
        assert_int_equal(ledger_tick(&ledger, DECEMBER), 0);
        ledger_see(&ledger, said(1, 120, 10));
        assert_int_equal(ledger_close_account(&ledger, "alice", DECEMBER), 0);
        /* What was open is still the old one's. */
        ledger_end(&ledger, said(1, 121, 10));
        ledger_hand_off(&ledger, 2, "alice", 1);
        ledger_end(&ledger, said(2, 3, 3));
        assert_used(&ledger, "alice", 3, 3);
        assert_used(&ledger, "alice~20261202T082640Z", 21, 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, NOVEMBER);
        assert_null(account_of(&ledger, "alice"));
        assert_used(&ledger, "alice~20261202T082640Z", 100, 10);
        ledger_done(&ledger);
}

/* Processor time and requests that were counted in December are not counted once more. */
static void test_clock_that_was_set_back(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger.is_new = false;
        ledger_use_socket(&ledger, 7);
        ledger_add_cpu(&ledger, "alice", 5, 100);
        ledger_add_requests(&ledger, "alice", 9, 10);
        assert_int_equal(ledger_tick(&ledger, DECEMBER), 0);
        ledger_add_cpu(&ledger, "alice", 5, 150);
        ledger_add_requests(&ledger, "alice", 9, 15);
        ledger_use_socket(&ledger, 8);
        assert_int_equal(ledger_tick(&ledger, NOVEMBER), 0);
        ledger_add_cpu(&ledger, "alice", 5, 151);
        ledger_add_requests(&ledger, "alice", 9, 16);
        assert_int_equal(ledger.n_accounts, 1);
        assert_int_equal(ledger.accounts[0].cpu_nsec, 101);
        assert_int_equal(ledger.accounts[0].requests, 11);
        assert_int_equal(ledger.head.socket, 8);
        ledger_done(&ledger);
}

/* Two in one second have two names; no line of one that was removed comes in a later month. */
static void test_removed_twice(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        for (uint64_t i = 1; i <= 2; i++) {
                ledger_add_cpu(&ledger, "alice", i, i);
                ledger_hand_off(&ledger, i, "alice", 1);
                ledger_end(&ledger, said(i, 100 * i, 10));
                assert_int_equal(ledger_close_account(&ledger, "alice", NOVEMBER), 0);
        }
        assert_int_equal(ledger_tick(&ledger, DECEMBER), 0);
        assert_int_equal(ledger_save(&ledger, false), 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, DECEMBER);
        assert_int_equal(ledger.n_accounts, 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, NOVEMBER);
        assert_int_equal(ledger.n_accounts, 2);
        assert_int_equal(ledger.accounts[0].sent + ledger.accounts[1].sent, 300);
        ledger_done(&ledger);
}

/* Whose name is a word of the file's head. */
static void test_removed_customer_called_complete(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);

        ledger_hand_off(&ledger, 1, "COMPLETE", 1);
        ledger_see(&ledger, said(1, 100, 10));
        assert_int_equal(ledger_tick(&ledger, DECEMBER), 0);
        assert_int_equal(ledger_close_account(&ledger, "COMPLETE", DECEMBER), 0);
        ledger_done(&ledger);
        ledger = opened(*state, BOOT, NOVEMBER);
        assert_true(ledger.head.is_complete);
        assert_null(account_of(&ledger, "COMPLETE"));
        ledger_done(&ledger);
}

static void test_damaged_file(void **state)
{
        static const char *const damaged[] = {
                "[Usage]\nVERSION=2\n",
                "[Usage]\nVERSION=1\n[Instances]\nalice=1 2 3\n",
                "[Usage]\nVERSION=1\n[Instances]\nalice=- 2 3 4 5 6 7 8 9\n",
                "[Usage]\nVERSION=1\n[Instances]\nalice=1 2 3 4 5 6 7 8 9 10\n",
                "[Usage]\nBOOT=" BOOT "\n[Connections]\nx=alice 1 2\n",
                "[Else]\n",
                "alice=1 2 3 4 5 6 7 8 9\n",
        };

        for (size_t i = 0; i < ELEMENTSOF(damaged); i++) {
                char *path = text_format("%s/2026-11", (char *)*state);
                FILE *file = fopen(path, "we");
                Ledger ledger = { .accounts_max = 10, .open.max = 10 };

                assert_non_null(file);
                fputs(damaged[i], file);
                assert_int_equal(fclose(file), 0);
                assert_int_equal(ledger_open(&ledger, *state, BOOT, NOVEMBER), -EBADMSG);
                ledger_done(&ledger);
                free(path);
        }
}

static void test_only_one_writes(void **state)
{
        Ledger ledger = opened(*state, BOOT, NOVEMBER);
        int status;
        const pid_t child = fork();

        if (child == 0) {
                Ledger other = { .accounts_max = 10, .open.max = 10 };

                _exit(ledger_open(&other, *state, BOOT, NOVEMBER) == -EBUSY ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        ledger_done(&ledger);
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message),
                cmocka_unit_test(test_diag),
                cmocka_unit_test(test_table),
                WITH_DIR(test_connections),
                WITH_DIR(test_figures_that_were_set_back),
                WITH_DIR(test_many_accounts),
                WITH_DIR(test_restart),
                WITH_DIR(test_another_socket),
                WITH_DIR(test_another_boot),
                WITH_DIR(test_month),
                WITH_DIR(test_month_begins_while_it_does_not_run),
                WITH_DIR(test_removed_customer),
                WITH_DIR(test_clock_that_was_set_back),
                WITH_DIR(test_removed_twice),
                WITH_DIR(test_removed_customer_called_complete),
                WITH_DIR(test_damaged_file),
                WITH_DIR(test_only_one_writes),
        };

        return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
