/* SPDX-License-Identifier: MIT */
#include <strings.h>

#include "mail/smtp.h"
#include "util/cleanup.h"
#include "util/text.h"

static const char *const verbs[SMTP_VERBS] = {
        [SMTP_HELO] = "HELO", [SMTP_EHLO] = "EHLO", [SMTP_MAIL] = "MAIL", [SMTP_RCPT] = "RCPT",
        [SMTP_DATA] = "DATA", [SMTP_RSET] = "RSET", [SMTP_NOOP] = "NOOP", [SMTP_QUIT] = "QUIT",
};

/* --- addresses --- */

static bool smtp_is_letter(uint8_t c)
{
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || text_is_digit(c);
}

static bool smtp_is_atom(uint8_t c)
{
        return smtp_is_letter(c) || (c != 0 && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

/* Returns the length of the quoted string at the front, or 0 if there is none. */
static size_t smtp_quoted(Span s)
{
        for (size_t i = 1; i < s.size && s.data[0] == '"'; i++) {
                if (s.data[i] < ' ' || s.data[i] > '~')
                        return 0;
                if (s.data[i] == '"')
                        return i > 1 ? i + 1 : 0;
                if (s.data[i] == '\\' && (++i == s.size || s.data[i] < ' ' || s.data[i] > '~'))
                        return 0;
        }
        return 0;
}

/* Returns the length of the part before the "@", or 0 if this part is not valid. */
static size_t smtp_local_part(Span s)
{
        size_t n = smtp_quoted(s);

        while (n < s.size && s.data[0] != '"' && smtp_is_atom(s.data[n]))
                n++;
        return n > 0 && s.data[0] != '.' && s.data[0] != '-' && s.data[n - 1] != '.' ? n : 0;
}

static bool smtp_domain_is_valid(Span s)
{
        const bool is_literal = s.size > 2 && s.data[0] == '[' && s.data[s.size - 1] == ']';

        for (size_t i = is_literal; i < s.size - is_literal; i++)
                if (!smtp_is_letter(s.data[i]) && s.data[i] != '.' && s.data[i] != '-' &&
                    (is_literal ? s.data[i] != ':' : s.data[i] != '_'))
                        return false;
        return s.size > 0 && s.data[0] != '.' && s.data[0] != '-' && s.data[s.size - 1] != '.' &&
               !memmem(s.data, s.size, "..", 2);
}

bool smtp_address_is_valid(Span address)
{
        const size_t n = smtp_local_part(address);

        if (n == 0 || address.size > SMTP_ADDRESS_MAX)
                return false;
        return n == address.size ||
               (address.data[n] == '@' &&
                smtp_domain_is_valid((Span){ address.data + n + 1, address.size - n - 1 }));
}

/* --- commands --- */

/* Removes "<...>" from the front. A quoted string inside may contain both '<' and '>'. */
static bool smtp_take_path(Span *rest, Span *ret)
{
        size_t n = 1;

        if (rest->size == 0 || rest->data[0] != '<')
                return false;
        n += smtp_quoted((Span){ rest->data + 1, rest->size - 1 });
        while (n < rest->size && rest->data[n] != '>')
                n++;
        if (n == rest->size || !span_take(rest, n + 1, ret))
                return false;
        *ret = (Span){ ret->data + 1, ret->size - 2 };
        return true;
}

/* Parses the parameters SIZE= and BODY=. BODY= is not passed on, because mail servers examine
 * messages themselves. */
static const char *smtp_parse_parameters(Span rest, SmtpCommand *command)
{
        while ((rest = span_trim(rest)).size > 0) {
                Span word = rest, name;
                const uint8_t *blank = memchr(rest.data, ' ', rest.size);

                if (blank)
                        word.size = (size_t)(blank - rest.data);
                rest = (Span){ rest.data + word.size, rest.size - word.size };
                if (!span_take_until(&word, '=', &name))
                        return "555 5.5.4 unknown parameter";
                if (name.size == 4 && strncasecmp((const char *)name.data, "SIZE", 4) == 0) {
                        if (!text_number(word, UINT64_MAX, &command->size))
                                return "501 5.5.4 SIZE= is not a number";
                } else if (name.size != 4 || strncasecmp((const char *)name.data, "BODY", 4) != 0) {
                        return "555 5.5.4 unknown parameter";
                }
        }
        return NULL;
}

/* Parses the address and the parameters of MAIL or RCPT. rest: the text after the verb. */
static const char *smtp_parse_path(Span rest, SmtpCommand *command)
{
        const bool is_mail = command->verb == SMTP_MAIL;
        Span keyword, path;

        rest = span_trim(rest);
        if (!span_take_until(&rest, ':', &keyword) || keyword.size != (is_mail ? 4 : 2) ||
            strncasecmp((const char *)keyword.data, is_mail ? "FROM" : "TO", keyword.size) != 0)
                return is_mail ? "501 5.5.4 write MAIL FROM:<address>"
                               : "501 5.5.4 write RCPT TO:<address>";
        rest = span_trim(rest);
        if (!smtp_take_path(&rest, &path) ||
            !(smtp_address_is_valid(path) || (is_mail && path.size == 0)))
                return is_mail ? "553 5.1.7 the address of the sender is not valid"
                               : "553 5.1.3 the address of a recipient is not valid";
        memcpy(command->address, path.data, path.size);
        return smtp_parse_parameters(rest, command);
}

SmtpCommand smtp_parse_command(Span line)
{
        SmtpCommand command = { .verb = SMTP_UNKNOWN };
        Span rest = line;

        for (size_t i = 0; i < line.size; i++)
                if (line.data[i] < ' ' || line.data[i] > '~') {
                        command.error = "500 5.5.2 a command can contain only ASCII characters";
                        return command;
                }
        for (SmtpVerb verb = SMTP_HELO; verb < SMTP_VERBS; verb++)
                if (line.size >= 4 && (line.size == 4 || line.data[4] == ' ') &&
                    strncasecmp((const char *)line.data, verbs[verb], 4) == 0)
                        command.verb = verb;
        if (command.verb == SMTP_UNKNOWN)
                command.error = "500 5.5.1 unknown command";
        if (command.verb == SMTP_MAIL || command.verb == SMTP_RCPT) {
                rest = (Span){ line.data + 4, line.size - 4 };
                command.error = smtp_parse_path(rest, &command);
        }
        if (command.verb == SMTP_DATA && line.size > 4)
                command.error = "501 5.5.4 DATA takes no parameters";
        return command;
}

unsigned smtp_parse_reply(Span line, bool *ret_is_last)
{
        uint64_t code;

        *ret_is_last = line.size == 3 || (line.size > 3 && line.data[3] != '-');
        if (line.size < 3 || !text_number((Span){ line.data, 3 }, 599, &code) || code < 200 ||
            (line.size > 3 && line.data[3] != ' ' && line.data[3] != '-'))
                return 0;
        return (unsigned)code;
}

/* --- messages --- */

#define MARK_BYTES strlen(SMTP_MARK)

/* While a line may still be the field SMTP_MARK, it is not written. If no colon follows the name,
 * the line is not this field, and is written after all. If blanks follow the name, at most this
 * number of them are written. */
#define BLANKS_MAX 8

static uint8_t *smtp_put(SmtpBody *body, uint8_t *out, uint8_t c)
{
        if (c == '.' && body->n_out == 0)
                *out++ = '.';
        body->n_out++;
        *out++ = c;
        return out;
}

/* Writes the first n bytes of a line, which were not written before because the line began like the
 * field SMTP_MARK. Call it when the line turns out to be something else. */
static uint8_t *smtp_release(SmtpBody *body, uint8_t *out, size_t n)
{
        for (size_t i = 0; i < n; i++)
                out = smtp_put(body, out, (uint8_t)SMTP_MARK[i]);
        for (; body->n_blanks > 0; body->n_blanks--)
                out = smtp_put(body, out, ' ');
        body->is_field = false;
        return out;
}

/* Writes a byte of the header, unless it belongs to a field SMTP_MARK, which is left out. */
static uint8_t *smtp_put_header(SmtpBody *body, uint8_t *out, uint8_t c)
{
        const size_t n = body->n_line++;

        if (n == 0 && span_is_blank(c)) {
                /* A blank at the start of the first line would continue our own field, which comes
                 * before this line. */
                if (!body->has_line)
                        body->error = "554 5.6.0 the message begins with a blank";
        } else if (n == 0) {
                body->is_hidden = false;
                body->is_field = true;
        }
        body->has_line = true;
        if (body->is_hidden)
                return out;
        if (!body->is_field)
                return smtp_put(body, out, c);
        if (n < MARK_BYTES && strncasecmp((const char *)&c, &SMTP_MARK[n], 1) == 0)
                return out;
        if (n >= MARK_BYTES && span_is_blank(c)) {
                body->n_blanks += body->n_blanks < BLANKS_MAX;
                return out;
        }
        if (n >= MARK_BYTES && c == ':') {
                body->n_blanks = 0;
                body->is_hidden = true;
                return out;
        }
        out = smtp_release(body, out, n < MARK_BYTES ? n : MARK_BYTES);
        return smtp_put(body, out, c);
}

static uint8_t *smtp_put_byte(SmtpBody *body, uint8_t *out, uint8_t c)
{
        if (c == 0)
                body->error = "554 5.6.0 the message has a NUL byte; encode it (Base64)";
        if (body->error)
                return out;
        return body->is_in_text ? smtp_put(body, out, c) : smtp_put_header(body, out, c);
}

static uint8_t *smtp_put_end_of_line(SmtpBody *body, uint8_t *out)
{
        const size_t n = body->n_line;

        if (body->error)
                return out;
        if (!body->is_in_text && n == 0)
                body->is_in_text = true;
        else if (!body->is_in_text && body->is_field && !body->is_hidden)
                out = smtp_release(body, out, n < MARK_BYTES ? n : MARK_BYTES);
        if (body->is_in_text || !body->is_hidden) {
                *out++ = '\r';
                *out++ = '\n';
        }
        body->n_line = body->n_out = 0;
        body->is_field = false;
        return out;
}

/*
 * A sequence that ends a message for one mail server, but not for another, could hide a second
 * message inside the first. So a dot ends the message only if CR LF comes before and after it. LF
 * alone becomes CR LF, and CR alone becomes a blank. In SMTP, the sender adds a dot before a dot at
 * the start of a line. This function removes the added dot, and smtp_put() adds it again.
 */
static uint8_t *smtp_body_step(SmtpBody *body, uint8_t *out, uint8_t c)
{
        const SmtpPlace place = body->place;

        if (place == SMTP_LINE_START && c == '.') {
                body->place = SMTP_DOT;
                return out;
        }
        if (place == SMTP_DOT_CR && c == '\n') {
                body->place = SMTP_END;
                return out;
        }
        if (c == '\n') {
                body->place = place == SMTP_LINE_CR ? SMTP_LINE_START : SMTP_LINE;
                return smtp_put_end_of_line(body, out);
        }
        if (place == SMTP_LINE_CR || place == SMTP_DOT_CR)
                out = smtp_put_byte(body, out, ' ');
        if (c == '\r') {
                body->place = place == SMTP_DOT ? SMTP_DOT_CR : SMTP_LINE_CR;
                return out;
        }
        body->place = SMTP_LINE;
        return smtp_put_byte(body, out, c);
}

size_t smtp_body_read(SmtpBody *body, Span *in, uint8_t out[])
{
        uint8_t *end = out;

        while (in->size > 0 && body->place != SMTP_END) {
                end = smtp_body_step(body, end, in->data[0]);
                in->data++;
                in->size--;
        }
        return (size_t)(end - out);
}
