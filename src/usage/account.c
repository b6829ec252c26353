/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "usage/account.h"
#include "util/cleanup.h"
#include "util/text.h"

#define VERSION "1"

/* Room for the text of a number, which is "-" for an unknown number. */
#define NUMBER_MAX 24

static const char *account_number(uint64_t n, char ret[static NUMBER_MAX])
{
        if (n == ACCOUNT_UNKNOWN)
                return strcpy(ret, "-");
        (void)snprintf(ret, NUMBER_MAX, "%" PRIu64, n);
        return ret;
}

/* Takes the next word from the front of rest. The word must be a number, or "-" for an unknown
 * number. */
static bool account_take(Span *rest, uint64_t *ret)
{
        Span word;

        if (!words_next(rest, &word))
                return false;
        if (span_equals(word, "-")) {
                *ret = ACCOUNT_UNKNOWN;
                return true;
        }
        return text_number(word, ACCOUNT_UNKNOWN - 1, ret);
}

/* Does the same as account_take(), but accepts only a known number. */
static bool account_take_known(Span *rest, uint64_t *ret)
{
        return account_take(rest, ret) && *ret != ACCOUNT_UNKNOWN;
}

static bool account_copy(Span text, char ret[], size_t size)
{
        if (text.size == 0 || text.size >= size || memchr(text.data, 0, text.size))
                return false;
        memcpy(ret, text.data, text.size);
        ret[text.size] = 0;
        return true;
}

static bool account_parse(const Line *line, Account *account)
{
        Span rest = line->value, more;

        return account_copy(line->key, account->name, sizeof(account->name)) &&
               account_take_known(&rest, &account->sent) &&
               account_take_known(&rest, &account->received) &&
               account_take(&rest, &account->cpu_nsec) && account_take(&rest, &account->requests) &&
               account_take_known(&rest, &account->group) &&
               account_take_known(&rest, &account->group_nsec) &&
               account_take_known(&rest, &account->reporter) &&
               account_take_known(&rest, &account->n_reported) &&
               account_take_known(&rest, &account->n_reset) && !words_next(&rest, &more);
}

static bool account_parse_connection(const Line *line, OpenConnection *connection)
{
        Span rest = line->value, name, more;

        return text_number(line->key, UINT64_MAX, &connection->cookie) &&
               words_next(&rest, &name) &&
               account_copy(name, connection->name, sizeof(connection->name)) &&
               account_take_known(&rest, &connection->sent) &&
               account_take_known(&rest, &connection->received) && !words_next(&rest, &more);
}

static bool account_parse_head(const Line *line, MonthHead *head)
{
        if (span_equals(line->key, "VERSION"))
                return span_equals(line->value, VERSION);
        if (span_equals(line->key, "BOOT"))
                return account_copy(line->value, head->boot, sizeof(head->boot));
        if (span_equals(line->key, "ROUTER"))
                return text_number(line->value, INT32_MAX, &head->router);
        if (span_equals(line->key, "SOCKET"))
                return text_number(line->value, UINT64_MAX, &head->socket);
        if (span_equals(line->key, "COMPLETE"))
                head->is_complete = span_equals(line->value, "yes");
        else if (span_equals(line->key, "RUNNING"))
                head->is_running = span_equals(line->value, "yes");
        return true;
}

static bool account_enter(MonthReader *reader, Span name)
{
        static const char *const sections[] = {
                [MONTH_IN_HEAD] = "Usage",
                [MONTH_IN_ACCOUNTS] = "Instances",
                [MONTH_IN_CONNECTIONS] = "Connections",
        };

        for (size_t i = MONTH_IN_HEAD; i < ELEMENTSOF(sections); i++)
                if (span_equals(name, sections[i])) {
                        reader->section = i;
                        return true;
                }
        return false;
}

static MonthLineKind account_read(MonthReader *reader, const Line *line, MonthLine *ret)
{
        switch (reader->section) {
        case MONTH_IN_HEAD:
                return account_parse_head(line, &reader->head) ? MONTH_HEAD_LINE : MONTH_INVALID;
        case MONTH_IN_ACCOUNTS:
                return account_parse(line, &ret->account) ? MONTH_ACCOUNT : MONTH_INVALID;
        case MONTH_IN_CONNECTIONS:
                return account_parse_connection(line, &ret->connection) ? MONTH_CONNECTION
                                                                        : MONTH_INVALID;
        case MONTH_IN_NOTHING:
                break;
        }
        return MONTH_INVALID;
}

MonthLine month_next(MonthReader *reader)
{
        MonthLine ret = { .kind = MONTH_END };
        const Line line = lines_next(&reader->lines);

        if (line.kind == LINE_END)
                return ret;
        if (line.kind == LINE_SECTION && !line.error)
                ret.kind = account_enter(reader, line.key) ? MONTH_HEAD_LINE : MONTH_INVALID;
        else if (line.kind == LINE_ASSIGNMENT && !line.error)
                ret.kind = account_read(reader, &line, &ret);
        else
                ret.kind = MONTH_INVALID;
        return ret;
}

static size_t account_size(int n)
{
        assert(n > 0 && n < MONTH_LINE_MAX);
        return (size_t)n;
}

size_t month_format_head(const MonthHead *head, char ret[static MONTH_LINE_MAX])
{
        return account_size(snprintf(ret, MONTH_LINE_MAX,
                                     "[Usage]\nVERSION=" VERSION "\nBOOT=%s\nRUNNING=%s\n"
                                     "COMPLETE=%s\nROUTER=%" PRIu64 "\nSOCKET=%" PRIu64 "\n",
                                     head->boot, head->is_running ? "yes" : "no",
                                     head->is_complete ? "yes" : "no", head->router, head->socket));
}

size_t month_format_account(const Account *a, char ret[static MONTH_LINE_MAX])
{
        char cpu[NUMBER_MAX], requests[NUMBER_MAX];

        return account_size(snprintf(ret, MONTH_LINE_MAX,
                                     "%s=%" PRIu64 " %" PRIu64 " %s %s %" PRIu64 " %" PRIu64
                                     " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                                     a->name, a->sent, a->received,
                                     account_number(a->cpu_nsec, cpu),
                                     account_number(a->requests, requests), a->group, a->group_nsec,
                                     a->reporter, a->n_reported, a->n_reset));
}

size_t month_format_connection(const OpenConnection *connection, char ret[static MONTH_LINE_MAX])
{
        return account_size(snprintf(ret, MONTH_LINE_MAX,
                                     "%" PRIu64 "=%s %" PRIu64 " %" PRIu64 "\n", connection->cookie,
                                     connection->name, connection->sent, connection->received));
}

bool month_name_is_valid(const char *name)
{
        uint64_t year, month;

        return strlen(name) == strlen("2026-11") && name[4] == '-' &&
               text_number((Span){ (const uint8_t *)name, 4 }, 9999, &year) &&
               text_number((Span){ (const uint8_t *)name + 5, 2 }, 12, &month) && month > 0;
}
