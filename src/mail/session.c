/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "mail/session.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

/* Between two messages, a program can send this number of commands, and RecipientsMax= more. */
#define COMMANDS_MAX 100

#define NO_STORE  "452 4.3.1 there is no room for the message; try again later"
#define TOO_LARGE "552 5.3.4 the message is too large"

/* --- replies --- */

/* Sends a reply. If the program reads no replies, ends the session instead of waiting. */
__attribute__((format(printf, 2, 3))) static void session_say(Session *session, const char *format,
                                                              ...)
{
        char text[RELAY_REPLY_MAX + 2];
        va_list args;
        size_t n;

        va_start(args, format);
        (void)vsnprintf(text, sizeof(text) - 2, format, args);
        va_end(args);
        n = strlen(text);
        text[n++] = '\r';
        text[n++] = '\n';
        if (send(session->fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
                session->phase = SESSION_ENDS;
}

static void session_set_timer(Session *session, uint64_t usec)
{
        (void)sd_event_source_set_time_relative(session->timer, usec);
        (void)sd_event_source_set_enabled(session->timer, SD_EVENT_ONESHOT);
}

static void session_wait_for_program(Session *session)
{
        session_set_timer(session, session->door->settings.client_timeout_usec);
}

/* --- a message begins and ends --- */

static void session_drop_body(Session *session)
{
        session->door->n_stored -= session->message.size;
        session->message.size = 0;
        session->message.fd = close_fd(session->message.fd);
}

/* Frees the message. is_charged: the message was sent, or may have been sent, so its charge is not
 * undone. */
static void session_end_message(Session *session, bool is_charged)
{
        Door *door = session->door;

        if (session->has_message && !is_charged)
                budget_refund(&door->budget, session->site, session->message.n_recipients,
                              session->charged);
        if (session->has_message)
                door_save_later(door);
        session_drop_body(session);
        free(take_ptr(session->message.sender));
        free(take_ptr(session->message.recipients));
        session->message.n_recipients = 0;
        session->body = (SmtpBody){ .error = NULL };
        session->refusal = NULL;
        session->has_message = false;
}

static void session_advance(Session *session);

/* Logs that the mail server accepts no message. Only the administrator can correct this. */
static void session_log_relay(Door *door, const Relay *relay)
{
        char text[RELAY_REPLY_MAX + 128];

        (void)snprintf(text, sizeof(text),
                       "no site can send mail: %s; see Relay= in bellhop-mail(8)", relay->reply);
        door_log(door, &door->relay_log, NULL, text);
}

static void session_on_relay_end(Relay *relay, RelayResult result, void *userdata)
{
        Session *session = userdata;
        Door *door = session->door;

        relay_done(relay);
        door->n_relays--;
        if (result != RELAY_SENT && relay->step <= RELAY_EHLO)
                session_log_relay(door, relay);
        if (result == RELAY_SENT)
                budget_count(&door->budget, session->site, true);
        session_end_message(session, result != RELAY_NOT_SENT);
        session->n_commands = 0;
        session->phase = SESSION_COMMANDS;
        session_say(session, "%s", relay->reply);
        session_wait_for_program(session);
        /* The next message may already be in the buffer. */
        session_advance(session);
}

void session_relay(Session *session)
{
        Door *door = session->door;

        TAILQ_REMOVE(&door->waiting, session, queue);
        session->phase = SESSION_RELAYS;
        session->relay = (Relay){
                .message = &session->message,
                .name = door->settings.name,
                .fd = -EBADF,
                .on_end = session_on_relay_end,
                .userdata = session,
        };
        door->n_relays++;
        if (relay_start(&session->relay, door->event, &door->settings.relay) >= 0)
                return;
        session_end(session, "421 4.3.2 bellhop-mail has too few descriptors or too little memory");
}

/* Call it when the whole message has arrived. Refuses the message, or lets it wait for its turn. */
static void session_finish_body(Session *session)
{
        static const char dot[] = ".\r\n";
        Message *message = &session->message;

        if (session->body.error)
                session->refusal = session->body.error;
        if (!session->refusal &&
            pwrite(message->fd, dot, strlen(dot), (off_t)message->size) != (ssize_t)strlen(dot))
                session->refusal = NO_STORE;
        if (session->refusal) {
                session->phase = SESSION_COMMANDS;
                session_say(session, "%s", session->refusal);
                session_end_message(session, false);
                session_wait_for_program(session);
                return;
        }
        message->size += strlen(dot);
        session->door->n_stored += strlen(dot);
        session->phase = SESSION_WAITS;
        session_set_timer(session, session->door->settings.relay_timeout_usec);
        TAILQ_INSERT_TAIL(&session->door->waiting, session, queue);
}

static void session_store(Session *session, const void *bytes, size_t n)
{
        Door *door = session->door;
        Message *message = &session->message;

        if (session->refusal || session->body.error)
                return;
        if (message->size + n > door->settings.size_max)
                session->refusal = TOO_LARGE;
        else if (door->n_stored + n > door->settings.store_max ||
                 pwrite(message->fd, bytes, n, (off_t)message->size) != (ssize_t)n)
                session->refusal = NO_STORE;
        if (session->refusal) {
                session_drop_body(session);
                return;
        }
        message->size += n;
        door->n_stored += n;
}

static void session_read_body(Session *session)
{
        static uint8_t out[SMTP_BODY_ROOM(sizeof(session->in))];
        Span rest = { session->in, session->n_in };

        session_store(session, out, smtp_body_read(&session->body, &rest, out));
        memmove(session->in, rest.data, rest.size);
        session->n_in = rest.size;
        if (session->body.place == SMTP_END)
                session_finish_body(session);
}

/* --- commands --- */

static void session_refuse_charge(Session *session, BudgetVerdict verdict)
{
        const MailLimits *limits = &session->limits;
        Door *door = session->door;
        const time_t now = time(NULL);
        const unsigned next_hour = (unsigned)(now / 3600 + 1) % 24;
        char text[RELAY_REPLY_MAX];

        if (verdict == BUDGET_HOUR)
                (void)snprintf(text, sizeof(text),
                               "this site has sent its %" PRIu64
                               " messages of this hour; the next one can go out at %02u:00 UTC",
                               limits->per_hour, next_hour);
        else
                (void)snprintf(text, sizeof(text),
                               "this site has sent its %" PRIu64
                               " %s of this day; the next one can go out at 00:00 UTC",
                               verdict == BUDGET_DAY ? limits->per_day : limits->recipients_per_day,
                               verdict == BUDGET_DAY ? "messages" : "recipients");
        session_say(session, "450 4.7.1 %s", text);
        budget_count(&door->budget, session->site, false);
        door_save_later(door);
        door_log(door, &door->budget.sites[session->site].log, session->name, text);
}

/* Returns the sender of the message. If the given sender has no domain, or if Sender=instance is
 * set, this is the customer's address on this machine. */
static char *session_sender(const Session *session, const char *given)
{
        const MailSettings *settings = &session->door->settings;

        if (settings->takes_senders && strrchr(given, '@'))
                return strdup(given);
        return text_format("%s@%s", session->name, settings->name);
}

/* Checks again whether the customer may send, because settings may have changed since the program
 * connected. */
static int session_readmit(Session *session)
{
        Door *door = session->door;
        const int site = door_admit(door, session->fd, session->uid, &session->limits);

        if (site < 0) {
                session->phase = SESSION_ENDS;
                return site;
        }
        session->site = site;
        (void)strcpy(session->name, door->budget.sites[site].name);
        return 0;
}

static void session_mail(Session *session, const SmtpCommand *command)
{
        Door *door = session->door;
        BudgetVerdict verdict;

        if (session->has_message) {
                session_say(session, "503 5.5.1 a message has already begun");
                return;
        }
        if (command->size > door->settings.size_max) {
                session_say(session, TOO_LARGE);
                return;
        }
        if (session_readmit(session) < 0)
                return;
        session->charged = time(NULL);
        verdict = budget_charge(&door->budget, session->site, &session->limits, false,
                                session->charged);
        if (verdict != BUDGET_FITS) {
                session_refuse_charge(session, verdict);
                return;
        }
        session->has_message = true;
        session->message.sender = session_sender(session, command->address);
        if (session->message.sender)
                session_say(session, "250 2.1.0 fine");
        else
                session->phase = SESSION_ENDS;
}

static void session_rcpt(Session *session, const SmtpCommand *command)
{
        Door *door = session->door;
        Message *message = &session->message;
        char address[SMTP_ADDRESS_MAX + 1];
        BudgetVerdict verdict;

        if (!session->has_message) {
                session_say(session, "503 5.5.1 send MAIL first");
                return;
        }
        if (message->n_recipients >= door->settings.recipients_max) {
                session_say(session, "452 4.5.3 a message has %" PRIu64 " recipients at most",
                            door->settings.recipients_max);
                return;
        }
        if (snprintf(address, sizeof(address), "%s%s%s", command->address,
                     strrchr(command->address, '@') ? "" : "@",
                     strrchr(command->address, '@') ? "" : door->settings.name) >=
            (int)sizeof(address)) {
                session_say(session, "553 5.1.3 the address of a recipient is too long");
                return;
        }
        verdict = budget_charge(&door->budget, session->site, &session->limits, true,
                                session->charged);
        if (verdict != BUDGET_FITS) {
                session_refuse_charge(session, verdict);
                return;
        }
        message->recipients = array_make_room(message->recipients, message->n_recipients,
                                              sizeof(*message->recipients));
        if (!message->recipients) {
                session->phase = SESSION_ENDS;
                return;
        }
        (void)strcpy(message->recipients[message->n_recipients++], address);
        session_say(session, "250 2.1.5 fine");
}

static void session_data(Session *session)
{
        Door *door = session->door;
        char mark[sizeof(SMTP_MARK) + BUDGET_NAME_MAX + 4];

        if (session->message.n_recipients == 0) {
                session_say(session, "503 5.5.1 send RCPT first");
                return;
        }
        session->message.fd = open(door->state_dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (session->message.fd < 0) {
                session_say(session, NO_STORE);
                session_end_message(session, false);
                return;
        }
        (void)snprintf(mark, sizeof(mark), SMTP_MARK ": %s\r\n", session->name);
        session_store(session, mark, strlen(mark));
        session_say(session, "354 end with a dot alone on a line");
        if (session->phase == SESSION_COMMANDS)
                session->phase = SESSION_BODY;
}

static void session_greet(Session *session, bool knows_extensions)
{
        const MailSettings *settings = &session->door->settings;

        session_end_message(session, false);
        if (knows_extensions)
                session_say(session,
                            "250-%s\r\n250-SIZE %" PRIu64
                            "\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES",
                            settings->name, settings->size_max);
        else
                session_say(session, "250 %s", settings->name);
}

static void session_do(Session *session, const SmtpCommand *command)
{
        if (command->error) {
                session_say(session, "%s", command->error);
                return;
        }
        switch (command->verb) {
        case SMTP_HELO:
        case SMTP_EHLO:
                session_greet(session, command->verb == SMTP_EHLO);
                break;
        case SMTP_MAIL:
                session_mail(session, command);
                break;
        case SMTP_RCPT:
                session_rcpt(session, command);
                break;
        case SMTP_DATA:
                session_data(session);
                break;
        case SMTP_RSET:
                session_end_message(session, false);
                session_say(session, "250 2.0.0 fine");
                break;
        case SMTP_QUIT:
                session_say(session, "221 2.0.0 bye");
                session->phase = SESSION_ENDS;
                break;
        case SMTP_NOOP:
        case SMTP_UNKNOWN:
        case SMTP_VERBS:
                session_say(session, "250 2.0.0 fine");
                break;
        }
}

/* Reads a command from the buffer. Returns false if the command is not complete. */
static bool session_read_command(Session *session)
{
        Span rest = { session->in, session->n_in }, line;
        SmtpCommand command;

        if (!span_take_until(&rest, '\n', &line)) {
                if (session->n_in <= SMTP_LINE_MAX)
                        return false;
                line.size = SMTP_LINE_MAX + 2;
        }
        if (line.size > SMTP_LINE_MAX + 1) {
                session_say(session, "500 5.5.2 the line is too long");
                session->phase = SESSION_ENDS;
                return true;
        }
        if (line.size > 0 && line.data[line.size - 1] == '\r')
                line.size--;
        command = smtp_parse_command(line);
        memmove(session->in, rest.data, rest.size);
        session->n_in = rest.size;
        if (++session->n_commands > COMMANDS_MAX + session->door->settings.recipients_max) {
                session_say(session, "421 4.7.0 too many commands without a message");
                session->phase = SESSION_ENDS;
                return true;
        }
        session_do(session, &command);
        session_wait_for_program(session);
        return true;
}

/* --- events --- */

/* Processes the received bytes as far as possible. */
static void session_advance(Session *session)
{
        Door *door = session->door;
        bool goes_on = true;

        while (goes_on && session->phase < SESSION_WAITS) {
                if (session->phase == SESSION_COMMANDS)
                        goes_on = session_read_command(session);
                else if ((goes_on = session->n_in > 0))
                        session_read_body(session);
        }
        if (session->phase == SESSION_ENDS)
                session_free(session);
        else
                (void)sd_event_source_set_enabled(session->source, session->phase < SESSION_WAITS
                                                                           ? SD_EVENT_ON
                                                                           : SD_EVENT_OFF);
        door_next(door);
}

static int session_on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
        Session *session = userdata;
        ssize_t n;

        /* The buffer may be full of commands that follow the message. Then nothing more can be
         * received. */
        if (session->n_in < sizeof(session->in)) {
                n = recv(fd, session->in + session->n_in, sizeof(session->in) - session->n_in,
                         MSG_DONTWAIT);
                if (n == 0 || (n < 0 && errno != EAGAIN)) {
                        session_free(session);
                        return 0;
                }
                session->n_in += n > 0 ? (size_t)n : 0;
        }
        session_advance(session);
        return 0;
}

static int session_on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
        Session *session = userdata;
        Door *door = session->door;

        if (session->phase == SESSION_RELAYS) {
                (void)snprintf(session->relay.reply, sizeof(session->relay.reply),
                               "451 4.4.2 the mail server does not answer");
                session_on_relay_end(&session->relay, relay_result(&session->relay), session);
                return 0;
        }
        session_end(session, session->phase == SESSION_WAITS
                                     ? "421 4.4.5 the mail server is busy; try again later"
                                     : "421 4.4.2 too slow");
        door_next(door);
        return 0;
}

int session_new_consume(Door *door, int fd, uid_t uid, int site, const MailLimits *limits)
{
        Session *session = calloc(1, sizeof(*session));
        int r;

        if (!session) {
                (void)close(fd);
                return -ENOMEM;
        }
        *session = (Session){ .door = door,
                              .fd = fd,
                              .uid = uid,
                              .site = site,
                              .limits = *limits,
                              .message.fd = -EBADF,
                              .relay.fd = -EBADF };
        (void)strcpy(session->name, door->budget.sites[site].name);
        LIST_INSERT_HEAD(&door->sessions, session, link);
        door->n_sessions++;
        r = sd_event_add_io(door->event, &session->source, fd, EPOLLIN, session_on_io, session);
        if (r >= 0)
                r = sd_event_add_time_relative(door->event, &session->timer, CLOCK_MONOTONIC,
                                               door->settings.client_timeout_usec, 0,
                                               session_on_timer, session);
        if (r >= 0)
                session_say(session, "220 %s bellhop-mail", door->settings.name);
        if (r < 0 || session->phase == SESSION_ENDS)
                session_free(session);
        return r < 0 ? r : 0;
}

void session_end(Session *session, const char *reply)
{
        const SessionPhase phase = session->phase;

        session_say(session, "%s", reply);
        /* If the program has gone, session_say() changes the phase. But session_free() needs to
         * know whether the session is in the queue or has a connection to the mail server. */
        session->phase = phase;
        session_free(session);
}

void session_free(Session *session)
{
        Door *door = session->door;

        if (session->phase == SESSION_WAITS)
                TAILQ_REMOVE(&door->waiting, session, queue);
        if (session->phase == SESSION_RELAYS) {
                relay_done(&session->relay);
                door->n_relays--;
        }
        session_end_message(session, session->phase == SESSION_RELAYS &&
                                             relay_result(&session->relay) != RELAY_NOT_SENT);
        sd_event_source_disable_unref(session->source);
        sd_event_source_disable_unref(session->timer);
        (void)close(session->fd);
        LIST_REMOVE(session, link);
        door->n_sessions--;
        free(session);
}
