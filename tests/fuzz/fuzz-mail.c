/* SPDX-License-Identifier: MIT */
/* Fuzz target: what bellhop-mail and sendmail read. The first byte chooses: a command, a reply, a
 * message, which is read whole and in two parts, the file of the budget, or a header. */
#include <stdlib.h>

#include "mail/budget.h"
#include "mail/smtp.h"
#include "sendmail/header.h"

#define MESSAGE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_command(Span line)
{
        const SmtpCommand command = smtp_parse_command(line);
        const Span address = span_from_string(command.address);
        bool is_last;

        if (!command.error && address.size > 0 && !smtp_address_is_valid(address))
                abort();
        if (strpbrk(command.address, "\r\n"))
                abort();
        (void)smtp_parse_reply(line, &is_last);
}

/* The most careless reader finds no end in what goes out, and no second mark in its header. */
static void check_message(const uint8_t *out, size_t n)
{
        size_t line = 0;

        for (size_t i = 0; i < n; i++) {
                if (out[i] == '\r' ? i + 1 < n && out[i + 1] != '\n'
                                   : out[i] == '\n' && (i == 0 || out[i - 1] != '\r'))
                        abort();
                if (out[i] == '\n') {
                        if (i - line == 2 && out[line] == '.')
                                abort();
                        line = i + 1;
                }
        }
}

static void read_message(Span text)
{
        static uint8_t whole[SMTP_BODY_ROOM(MESSAGE_MAX)], parts[2 * SMTP_BODY_ROOM(MESSAGE_MAX)];
        SmtpBody body = { .error = NULL }, again = { .error = NULL };
        Span rest, first;
        size_t n, m;

        if (text.size > MESSAGE_MAX)
                return;
        rest = text;
        n = smtp_body_read(&body, &rest, whole);
        first = (Span){ text.data, text.size / 2 };
        m = smtp_body_read(&again, &first, parts);
        first = (Span){ text.data + text.size / 2, text.size - text.size / 2 };
        m += smtp_body_read(&again, &first, parts + m);
        if (n > SMTP_BODY_ROOM(text.size) || (again.place != body.place && again.place != SMTP_END))
                abort();
        if (!body.error && (n != m || memcmp(whole, parts, n) != 0))
                abort();
        if (!body.error && body.place == SMTP_END)
                check_message(whole, n);
}

static void read_budget(Span text)
{
        LineReader reader = { .rest = text }, again;
        char line[BUDGET_LINE_MAX];
        BudgetSite site, same;
        Line read, written;

        while ((read = lines_next(&reader)).kind != LINE_END) {
                if (!budget_parse(&read, &site))
                        continue;
                again = (LineReader){ .rest = { (uint8_t *)line, budget_format(&site, line) } };
                written = lines_next(&again);
                if (!budget_parse(&written, &same) || memcmp(&site, &same, sizeof(site)) != 0)
                        abort();
        }
}

static void read_header(Span text)
{
        char address[HEADER_ADDRESS_MAX];
        HeaderField field;
        size_t n = 0;

        while (header_next(&text, &field)) {
                Span list = field.value;
                HeaderAddress found;

                while ((found = header_next_address(&list, address)) == HEADER_ADDRESS)
                        if (++n > field.whole.size + text.size + 65536 || !address[0])
                                abort();
                (void)header_is(&field, "Bcc");
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        Span rest = { data, size }, choice;

        if (!span_take(&rest, 1, &choice))
                return 0;
        if (choice.data[0] == 'c')
                read_command(rest);
        if (choice.data[0] == 'm')
                read_message(rest);
        if (choice.data[0] == 'b')
                read_budget(rest);
        if (choice.data[0] == 'h')
                read_header(rest);
        return 0;
}
