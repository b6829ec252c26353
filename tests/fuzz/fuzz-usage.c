/* SPDX-License-Identifier: MIT */
/* Fuzz target: what bellhop-usage receives and reads. The first byte chooses: a datagram, messages
 * of the kernel, or the file of a month, whose lines are written and read again as the same. */
#include <stdlib.h>

#include "usage/account.h"
#include "usage/diag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const char *heading, const char *line, const MonthLine *first)
{
        char text[2 * MONTH_LINE_MAX];
        MonthReader reader = { .section = MONTH_IN_NOTHING };
        MonthLine again;

        (void)strcpy(text, heading);
        (void)strcat(text, line);
        reader.lines.rest = span_from_string(text);
        (void)month_next(&reader);
        again = month_next(&reader);
        if (again.kind != first->kind ||
            memcmp(&again.account, &first->account, sizeof(again.account)) != 0 ||
            memcmp(&again.connection, &first->connection, sizeof(again.connection)) != 0)
                abort();
}

static void read_month(Span text)
{
        MonthReader reader = { .lines.rest = text };
        char line[MONTH_LINE_MAX];
        MonthLine read;

        while ((read = month_next(&reader)).kind != MONTH_END) {
                if (read.kind == MONTH_ACCOUNT) {
                        (void)month_format_account(&read.account, line);
                        read_again(MONTH_ACCOUNTS, line, &read);
                } else if (read.kind == MONTH_CONNECTION) {
                        (void)month_format_connection(&read.connection, line);
                        read_again(MONTH_CONNECTIONS, line, &read);
                }
        }
        (void)month_format_head(&reader.head, line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span rest = { data, size }, choice;
        UsageMessage message;
        DiagMessage said;

        if (!span_take(&rest, 1, &choice))
                return 0;
        if (choice.data[0] == 'm' && usage_message_parse(rest, &message) &&
            usage_message_size(&message) != rest.size)
                abort();
        while (choice.data[0] == 'd' && diag_next(&rest, &said))
                if (said.kind != DIAG_SOCKET && said.sent != 0)
                        abort();
        if (choice.data[0] == 'f')
                read_month(rest);
        return 0;
}
