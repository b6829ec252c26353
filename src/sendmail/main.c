/* SPDX-License-Identifier: MIT */
/*
 * The program /usr/sbin/sendmail in instances: sends a message to bellhop-mail, and waits for the
 * answer. It runs as the customer, who can replace or change it, so bellhop-mail does not trust it.
 * It never exits with EX_TEMPFAIL, because PHP treats this as success, as if the message were
 * queued.
 */
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>

#include "sendmail/header.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"
#include "util/unix-address.h"

/* The longest wait for an answer. bellhop-mail always answers earlier: see RelayTimeoutSec= in
 * bellhop-mail(8). */
#define TIMEOUT_SEC 300

#define MESSAGE_MAX ((size_t)256 * 1024 * 1024)

/* The options of Postfix's sendmail. Most of them have no effect here. */
#define OPTIONS "A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:r:q::tvx"

typedef struct Mail {
        const char *sender, *full_name;
        bool reads_recipients, keeps_dots;
        char **recipients;
        size_t n_recipients;
        char *text; /* all of standard input */
        Span header, body;
        bool has_from, has_date, has_id;
        FILE *in, *out; /* to bellhop-mail */
        char name[256]; /* of this machine, from bellhop-mail */
} Mail;

/* Reports an error on standard error, and exits. The error then reaches a log: that of PHP-FPM if a
 * PHP page has started this program, or that of Apache if a CGI program has. */
__attribute__((noreturn, format(printf, 2, 3))) static void fail(int status, const char *format,
                                                                 ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        text_make_harmless(text, 0);
        fprintf(stderr, "sendmail: %s\n", text ? text : "not enough memory");
        exit(status);
}

/* Refuses characters other than printable ASCII: a line break in an address would begin another
 * SMTP command. */
static const char *checked(const char *address)
{
        for (const char *c = address; *c; c++)
                if (*c < ' ' || *c > '~')
                        fail(EX_DATAERR, "the address '%s' has characters other than ASCII",
                             address);
        return address;
}

static void add_recipient(Mail *mail, const char *address)
{
        if (texts_append(&mail->recipients, &mail->n_recipients, checked(address)) < 0)
                fail(EX_OSERR, "not enough memory");
}

/* --- the message --- */

/* Returns the length of the message. A dot alone on a line ends the message, unless keeps_dots is
 * set. */
static size_t find_end(const Mail *mail, size_t n)
{
        for (size_t i = 0; !mail->keeps_dots && i < n; i++) {
                const size_t after = i + 1 + (i + 1 < n && mail->text[i + 1] == '\r');

                if (mail->text[i] == '.' && (i == 0 || mail->text[i - 1] == '\n') &&
                    (after >= n || mail->text[after] == '\n'))
                        return i;
        }
        return n;
}

static void read_message(Mail *mail)
{
        size_t n = 0, room = 65536;

        mail->text = malloc(room);
        while (mail->text) {
                const size_t got = fread(mail->text + n, 1, room - n, stdin);

                n += got;
                if (got == 0 || n > MESSAGE_MAX)
                        break;
                if (n == room)
                        mail->text = realloc(mail->text, room *= 2);
        }
        if (!mail->text || ferror(stdin) || n > MESSAGE_MAX)
                fail(EX_IOERR, "the message can't be read, or is too large");
        n = find_end(mail, n);
        mail->header = (Span){ (uint8_t *)mail->text, n };
        /* Skips the line "From ..." that begins a message in a mailbox file. */
        if (n > 5 && memcmp(mail->text, "From ", 5) == 0) {
                Span line;

                (void)span_take_until(&mail->header, '\n', &line);
        }
        mail->body = mail->header;
}

static void add_addresses(Mail *mail, const HeaderField *field)
{
        char address[HEADER_ADDRESS_MAX];
        Span list = field->value;
        HeaderAddress found;

        while ((found = header_next_address(&list, address)) == HEADER_ADDRESS)
                add_recipient(mail, address);
        if (found == HEADER_ADDRESS_INVALID)
                fail(EX_DATAERR, "%.*s: %.*s has an address that is not valid",
                     (int)field->name.size, (const char *)field->name.data,
                     field->value.size > 200 ? 200 : (int)field->value.size,
                     (const char *)field->value.data);
}

static bool is_any(const HeaderField *field, const char *const names[])
{
        for (size_t i = 0; names[i]; i++)
                if (header_is(field, names[i]))
                        return true;
        return false;
}

static void read_header(Mail *mail)
{
        static const char *const direct[] = { "To", "Cc", "Bcc", NULL };
        static const char *const resent[] = { "Resent-To", "Resent-Cc", "Resent-Bcc", NULL };
        const char *const *names = direct;
        Span rest = mail->header;
        HeaderField field;

        while (header_next(&rest, &field)) {
                if (is_any(&field, resent))
                        names = resent;
                mail->has_from |= header_is(&field, "From");
                mail->has_date |= header_is(&field, "Date");
                mail->has_id |= header_is(&field, "Message-ID");
        }
        mail->header.size -= rest.size;
        mail->body = rest;
        rest = mail->header;
        while (mail->reads_recipients && header_next(&rest, &field))
                if (is_any(&field, names))
                        add_addresses(mail, &field);
}

/* --- bellhop-mail --- */

static void lose(void)
{
        fail(EX_UNAVAILABLE, "bellhop-mail does not answer; the message may not have been sent");
}

/* Reads an SMTP reply. Returns the text of its last line, which is valid until the next call. Exits
 * with an error if the reply's code does not begin with `digit`. */
static const char *expect(Mail *mail, char digit, const char *about)
{
        static char line[1024];

        do {
                if (!fgets(line, sizeof(line), mail->in) || strlen(line) < 4)
                        lose();
        } while (line[3] == '-');
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] != digit)
                fail(EX_UNAVAILABLE, "the message was refused%s%s: %s", about[0] ? ", " : "", about,
                     line);
        return line + 4;
}

__attribute__((format(printf, 4, 5))) static const char *
say(Mail *mail, char digit, const char *about, const char *format, ...)
{
        va_list args;

        va_start(args, format);
        (void)vfprintf(mail->out, format, args);
        va_end(args);
        (void)fputs("\r\n", mail->out);
        if (fflush(mail->out) != 0)
                lose();
        return expect(mail, digit, about);
}

static int connect_door(void)
{
        const struct timeval limit = { .tv_sec = TIMEOUT_SEC };
        struct sockaddr_un address;
        const int size = unix_address_fill(BELLHOP_MAIL_SOCKET, &address);
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
            setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
            connect(fd, (const struct sockaddr *)&address, (socklen_t)size) < 0)
                fail(EX_UNAVAILABLE, "bellhop-mail can't be reached (" BELLHOP_MAIL_SOCKET
                                     "): %m; ask the administrator to start bellhop-mail.socket");
        return fd;
}

/* Writes text, with CR LF at the end of each line, and doubles a dot at the start of a line. */
static void put_lines(Mail *mail, Span text)
{
        while (text.size > 0) {
                Span line;

                if (!span_take_until(&text, '\n', &line)) {
                        line = text;
                        text.size = 0;
                }
                if (line.size > 0 && line.data[line.size - 1] == '\r')
                        line.size--;
                if (line.size > 0 && line.data[0] == '.')
                        (void)fputc('.', mail->out);
                (void)fwrite(line.data, 1, line.size, mail->out);
                (void)fputs("\r\n", mail->out);
        }
}

static void put_from(Mail *mail)
{
        const bool has_domain = strchr(mail->sender, '@') != NULL;

        (void)fputs("From: ", mail->out);
        if (mail->full_name) {
                (void)fputc('"', mail->out);
                for (const char *c = mail->full_name; *c; c++)
                        if ((unsigned char)*c >= ' ' && !strchr("\"\\", *c))
                                (void)fputc(*c, mail->out);
                (void)fputs("\" ", mail->out);
        }
        fprintf(mail->out, "<%s%s%s>\r\n", mail->sender, has_domain ? "" : "@",
                has_domain ? "" : mail->name);
}

/* Writes the fields From:, Date: and Message-ID:, if the message does not have them. */
static void put_missing(Mail *mail)
{
        const time_t now = time(NULL);
        char date[64];
        uint64_t number = 0;
        struct tm tm;

        if (!mail->has_from)
                put_from(mail);
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S %z", localtime_r(&now, &tm));
        if (!mail->has_date)
                fprintf(mail->out, "Date: %s\r\n", date);
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
                number = (uint64_t)getpid();
        if (!mail->has_id)
                fprintf(mail->out, "Message-ID: <%llx.%llx@%s>\r\n", (unsigned long long)now,
                        (unsigned long long)number, mail->name);
}

static void put_message(Mail *mail)
{
        static const char *const hidden[] = { "Bcc", "Resent-Bcc", NULL };
        Span rest = mail->header;
        HeaderField field;

        put_missing(mail);
        while (header_next(&rest, &field))
                if (!is_any(&field, hidden))
                        put_lines(mail, field.whole);
        /* Adds an empty line between header and text if there is none. */
        if (mail->body.size > 0 && mail->body.data[0] != '\n' && mail->body.data[0] != '\r')
                (void)fputs("\r\n", mail->out);
        put_lines(mail, mail->body);
}

static void deliver(Mail *mail)
{
        const int fd = connect_door();

        mail->in = fdopen(fd, "re");
        mail->out = fdopen(dup(fd), "we");
        if (!mail->in || !mail->out)
                fail(EX_OSERR, "not enough memory");
        (void)snprintf(mail->name, sizeof(mail->name), "%s", expect(mail, '2', ""));
        mail->name[strcspn(mail->name, " ")] = 0;
        (void)say(mail, '2', "", "EHLO localhost");
        (void)say(mail, '2', "", "MAIL FROM:<%s>", mail->sender);
        for (size_t i = 0; i < mail->n_recipients; i++)
                (void)say(mail, '2', mail->recipients[i], "RCPT TO:<%s>", mail->recipients[i]);
        (void)say(mail, '3', "", "DATA");
        put_message(mail);
        (void)say(mail, '2', "", ".");
}

/* --- SMTP by standard input and output --- */

/* Reads some data from one descriptor, and writes it to the other. Returns false at the end of the
 * data, and if the data can't be written. */
static bool pass(int from, int to)
{
        char bytes[16384];
        const ssize_t n = read(from, bytes, sizeof(bytes));

        for (ssize_t done = 0; done < n;) {
                const ssize_t m = write(to, bytes + done, (size_t)(n - done));

                if (m <= 0)
                        return false;
                done += m;
        }
        return n > 0;
}

static int speak_smtp(void)
{
        const int fd = connect_door();
        struct pollfd at[] = { { .fd = fd, .events = POLLIN },
                               { .fd = STDIN_FILENO, .events = POLLIN } };

        while (poll(at, 2, TIMEOUT_SEC * 1000) > 0) {
                if (at[0].revents && !pass(fd, STDOUT_FILENO))
                        return EX_OK;
                if (at[1].revents && !pass(STDIN_FILENO, fd)) {
                        (void)shutdown(fd, SHUT_WR);
                        at[1].fd = -1;
                }
        }
        return EX_UNAVAILABLE;
}

/* --- options --- */

static int refuse_mode(void)
{
        fail(EX_UNAVAILABLE, "this sendmail can only send messages: see bellhop-mail(8)");
}

/* Turns "<alice@alice.example>" into alice@alice.example. */
static const char *without_brackets(char *address)
{
        const size_t n = strlen(address);

        if (n < 2 || address[0] != '<' || address[n - 1] != '>')
                return address;
        address[n - 1] = 0;
        return address + 1;
}

/* Reads options and recipients. Returns the mode: the letter after -b. */
static char read_options(Mail *mail, int argc, char *argv[])
{
        char mode = strcmp(basename(argv[0]), "mailq") == 0 ? 'p' : 'm';
        int option;

        while ((option = getopt(argc, argv, OPTIONS)) >= 0)
                if (option == 'b')
                        mode = optarg[0];
                else if (option == 'q')
                        mode = 'p';
                else if (option == 'f' || option == 'r')
                        mail->sender = checked(without_brackets(optarg));
                else if (option == 'F')
                        mail->full_name = optarg;
                else if (option == 't')
                        mail->reads_recipients = true;
                else if (option == 'i' || (option == 'o' && optarg[0] == 'i'))
                        mail->keeps_dots = true;
                else if (option == '?')
                        exit(EX_USAGE);
        for (; optind < argc; optind++)
                add_recipient(mail, without_brackets(argv[optind]));
        return mode;
}

int main(int argc, char *argv[])
{
        Mail mail = { .sender = NULL };
        const char mode = read_options(&mail, argc, argv);
        const struct passwd *user;

        (void)signal(SIGPIPE, SIG_IGN);
        if (mode == 's')
                return speak_smtp();
        if (mode != 'm')
                return refuse_mode();
        user = getpwuid(getuid());
        if (!mail.sender || !mail.sender[0])
                mail.sender = user ? user->pw_name : "nobody";
        read_message(&mail);
        read_header(&mail);
        if (mail.n_recipients == 0)
                fail(EX_USAGE, "there is no recipient; name one, or use -t");
        deliver(&mail);
        return EX_OK;
}
