/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "mail/relay.h"
#include "util/cleanup.h"

RelayResult relay_result(const Relay *relay)
{
        return relay->step == RELAY_DOT ? RELAY_UNKNOWN : RELAY_NOT_SENT;
}

static void relay_end(Relay *relay, RelayResult result)
{
        relay->on_end(relay, result, relay->userdata);
}

/* Ends the relay because the connection is lost, or the server sends something invalid. */
static void relay_fail(Relay *relay, const char *what)
{
        const RelayResult result = relay_result(relay);

        (void)snprintf(relay->reply, sizeof(relay->reply), "451 4.4.2 %s%s", what,
                       result == RELAY_UNKNOWN ? "; the message may have been sent" : "");
        relay_end(relay, result);
}

__attribute__((format(printf, 2, 3))) static void relay_say(Relay *relay, const char *format, ...)
{
        char line[SMTP_LINE_MAX];
        va_list args;
        int n;

        va_start(args, format);
        n = vsnprintf(line, sizeof(line), format, args);
        va_end(args);
        /* The socket's buffer is empty, so the line fits. If the connection is lost, the next read
         * fails. */
        (void)send(relay->fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Sends as much of the message as fits into the socket's buffer. Returns 0 or a negative errno. */
static int relay_send_body(Relay *relay)
{
        const off_t size = (off_t)relay->message->size;

        while (relay->n_body < size) {
                const ssize_t n = sendfile(relay->fd, relay->message->fd, &relay->n_body,
                                           (size_t)(size - relay->n_body));

                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n <= 0)
                        return n < 0 ? -errno : -EIO;
        }
        /* From here on, the server may have the whole message, and may send it. */
        relay->step = RELAY_DOT;
        (void)sd_event_source_set_io_events(relay->source, EPOLLIN);
        return 0;
}

/* Begins the next step, after the server has accepted the previous one. */
static void relay_go_on(Relay *relay)
{
        const Message *message = relay->message;

        switch (relay->step) {
        case RELAY_GREETING:
                relay->step = RELAY_EHLO;
                relay_say(relay, "EHLO %s\r\n", relay->name);
                break;
        case RELAY_EHLO:
                relay->step = RELAY_MAIL;
                relay_say(relay, "MAIL FROM:<%s>\r\n", message->sender);
                break;
        case RELAY_MAIL:
        case RELAY_RCPT:
                if (relay->n_named < message->n_recipients) {
                        relay->step = RELAY_RCPT;
                        relay_say(relay, "RCPT TO:<%s>\r\n", message->recipients[relay->n_named++]);
                } else {
                        relay->step = RELAY_DATA;
                        relay_say(relay, "DATA\r\n");
                }
                break;
        case RELAY_DATA:
                relay->step = RELAY_BODY;
                (void)sd_event_source_set_io_events(relay->source, EPOLLIN | EPOLLOUT);
                break;
        case RELAY_BODY:
        case RELAY_DOT:
                relay_say(relay, "QUIT\r\n");
                relay_end(relay, RELAY_SENT);
                break;
        }
}

/* Handles a reply of the server. Returns false if the relay has ended. */
static bool relay_take_reply(Relay *relay, unsigned code)
{
        const unsigned good = relay->step == RELAY_DATA ? 3 : 2;

        if (code / 100 == good && relay->step != RELAY_BODY) {
                const bool goes_on = relay->step != RELAY_DOT;

                relay_go_on(relay);
                return goes_on;
        }
        /* If the server reports an error before it knows the message, or if its reply is not an
         * error code, it may accept the message later. So the program gets a temporary error. */
        if (relay->step <= RELAY_EHLO || code < 400)
                relay->reply[0] = '4';
        relay_say(relay, "QUIT\r\n");
        relay_end(relay, RELAY_NOT_SENT);
        return false;
}

/* Handles a line from the server. Returns false if the relay has ended. */
static bool relay_take_line(Relay *relay, Span line)
{
        bool is_last;
        const unsigned code = smtp_parse_reply(line, &is_last);

        if (code == 0) {
                relay_fail(relay, "the mail server does not speak SMTP");
                return false;
        }
        if (!is_last)
                return true;
        (void)snprintf(relay->reply, sizeof(relay->reply), "%.*s", (int)line.size,
                       (const char *)line.data);
        return relay_take_reply(relay, code);
}

/* Reads from the server. Returns false if the relay has ended. */
static bool relay_read(Relay *relay)
{
        const ssize_t n = recv(relay->fd, relay->in + relay->n_in, sizeof(relay->in) - relay->n_in,
                               MSG_DONTWAIT);
        Span rest, line;

        if (n < 0 && errno == EAGAIN)
                return true;
        if (n <= 0) {
                relay_fail(relay, n == 0 ? "the mail server has closed the connection"
                                         : "the mail server can't be reached");
                return false;
        }
        relay->n_in += (size_t)n;
        rest = (Span){ relay->in, relay->n_in };
        while (span_take_until(&rest, '\n', &line)) {
                if (line.size > 0 && line.data[line.size - 1] == '\r')
                        line.size--;
                if (!relay_take_line(relay, line))
                        return false;
        }
        if (rest.size == sizeof(relay->in)) {
                relay_fail(relay, "the mail server sends a line that is too long");
                return false;
        }
        memmove(relay->in, rest.data, rest.size);
        relay->n_in = rest.size;
        return true;
}

static int relay_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Relay *relay = userdata;

        if (revents & (EPOLLIN | EPOLLHUP | EPOLLERR) && !relay_read(relay))
                return 0;
        if (relay->step == RELAY_BODY && relay_send_body(relay) < 0)
                relay_fail(relay, "the mail server has closed the connection");
        return 0;
}

int relay_start(Relay *relay, sd_event *event, const Address *to)
{
        const bool v4 = IN6_IS_ADDR_V4MAPPED(&to->ip);
        struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(to->port) };
        const struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
                                          .sin6_port = htons(to->port),
                                          .sin6_addr = to->ip };
        const struct sockaddr *address =
                v4 ? (const struct sockaddr *)&in : (const struct sockaddr *)&in6;

        memcpy(&in.sin_addr, &to->ip.s6_addr[12], sizeof(in.sin_addr));
        relay->fd = socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (relay->fd < 0)
                return -errno;
        /* If connect(2) fails at once, reading reports the error. */
        (void)connect(relay->fd, address, v4 ? sizeof(in) : sizeof(in6));
        return sd_event_add_io(event, &relay->source, relay->fd, EPOLLIN, relay_on_io, relay);
}

void relay_done(Relay *relay)
{
        relay->source = sd_event_source_disable_unref(relay->source);
        relay->fd = close_fd(relay->fd);
}
