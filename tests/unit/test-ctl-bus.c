/* SPDX-License-Identifier: MIT */
/* Questions to a systemd that is made of a few functions: how many wait at once, and what becomes
 * of those without an answer. */
#include "unit.h"

#include "ctl/ask/bus.h"

#define N 1000

/* What dbus-daemon allows is 128. */
#define IN_FLIGHT_MAX 100

static struct {
        sd_bus_message_handler_t callback;
        void *userdata;
} open_calls[N];

static size_t n_open, n_open_max, n_asked, n_answered;
static bool broken, silent;
static unsigned n_closed;

/* Of each ten calls, the fourth can't be sent, and the eighth is answered by an error. */
int sd_bus_call_method_async(sd_bus *bus, sd_bus_slot **slot, const char *destination,
                             const char *path, const char *interface, const char *method,
                             sd_bus_message_handler_t callback, void *userdata, const char *types,
                             ...)
{
        if (n_asked++ % 10 == 4)
                return -ENOBUFS;
        open_calls[n_open].callback = callback;
        open_calls[n_open++].userdata = userdata;
        n_open_max = n_open > n_open_max ? n_open : n_open_max;
        return 1;
}

int sd_bus_process(sd_bus *bus, sd_bus_message **ret)
{
        if (broken)
                return -ECONNRESET;
        if (n_open == 0)
                return 0;
        n_open--;
        return open_calls[n_open].callback(NULL, open_calls[n_open].userdata, NULL) < 0 ? -EIO : 1;
}

int sd_bus_wait(sd_bus *bus, uint64_t usec)
{
        fail_msg("nothing is left to wait for");
        return 0;
}

int sd_bus_message_is_method_error(sd_bus_message *message, const char *name)
{
        return n_answered++ % 10 == 8;
}

int sd_bus_message_get_errno(sd_bus_message *message)
{
        return silent ? ETIMEDOUT : ENOENT;
}

void sd_bus_close(sd_bus *bus)
{
        n_closed++;
        broken = true;
}

int sd_bus_message_peek_type(sd_bus_message *message, char *type, const char **contents)
{
        *contents = "t";
        return 1;
}

int sd_bus_message_enter_container(sd_bus_message *message, char type, const char *contents)
{
        return 1;
}

int sd_bus_message_read_basic(sd_bus_message *message, char type, void *ret)
{
        *(uint64_t *)ret = 7;
        return 1;
}

static BusQuestion questions[N];
static uint64_t numbers[N];

static int ask(void)
{
        n_open = n_open_max = n_asked = n_answered = 0;
        for (size_t i = 0; i < N; i++) {
                numbers[i] = UINT64_MAX;
                questions[i] = (BusQuestion){ .unit = "bellhop@alice.service",
                                              .interface = "Service",
                                              .property = "MemoryCurrent",
                                              .kind = PROPERTY_NUMBER,
                                              .ret = &numbers[i] };
        }
        return bus_ask(NULL, questions, N);
}

static void test_not_too_many_at_once(void **state)
{
        (void)state;
        broken = false;
        assert_int_equal(ask(), 0);
        assert_int_equal(n_asked, N);
        assert_int_equal(n_open, 0);
        assert_true(n_open_max > 1 && n_open_max <= IN_FLIGHT_MAX);
}

static void test_what_has_no_answer_stays_unknown(void **state)
{
        size_t n_unsent = 0, n_refused = 0;

        (void)state;
        broken = false;
        assert_int_equal(ask(), 0);
        for (size_t i = 0; i < N; i++) {
                n_unsent += questions[i].error == -ENOBUFS;
                n_refused += questions[i].error == -ENOENT;
                assert_true(numbers[i] == (questions[i].error < 0 ? UINT64_MAX : 7));
        }
        assert_int_equal(n_unsent, N / 10);
        assert_int_equal(n_refused, (N - N / 10) / 10);
}

static void test_broken_connection(void **state)
{
        (void)state;
        broken = true;
        assert_int_equal(ask(), -ECONNRESET);
        for (size_t i = 0; i < N; i++)
                assert_true(numbers[i] == UINT64_MAX);
}

/* Otherwise each instance of thousands would be waited for. */
static void test_silence_is_waited_for_once(void **state)
{
        (void)state;
        broken = false;
        silent = true;
        n_closed = 0;
        assert_int_equal(ask(), -ECONNRESET);
        assert_int_equal(n_closed, 1);
        assert_true(n_asked < N);
        silent = false;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_not_too_many_at_once),
                cmocka_unit_test(test_what_has_no_answer_stays_unknown),
                cmocka_unit_test(test_broken_connection),
                cmocka_unit_test(test_silence_is_waited_for_once),
        };

        return cmocka_run_group_tests_name("ctl-bus", tests, NULL, NULL);
}
