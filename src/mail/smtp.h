/* SPDX-License-Identifier: MIT */
/* The part of SMTP (RFC 5321) that bellhop-mail uses with customers' programs and with the
 * machine's mail server. bellhop-mail does not copy commands, line ends, or the dots that SMTP adds
 * at the start of lines, but writes its own. Makes no system calls. */
#pragma once

#include "util/span.h"

/* The maximum length of a command or reply, without the line end. */
#define SMTP_LINE_MAX 1000

/* RFC 5321, section 4.5.3.1.3: a path has at most 256 bytes, of which two are brackets. */
#define SMTP_ADDRESS_MAX 254

typedef enum SmtpVerb {
        SMTP_UNKNOWN,
        SMTP_HELO,
        SMTP_EHLO,
        SMTP_MAIL,
        SMTP_RCPT,
        SMTP_DATA,
        SMTP_RSET,
        SMTP_NOOP,
        SMTP_QUIT,
        SMTP_VERBS,
} SmtpVerb;

typedef struct SmtpCommand {
        SmtpVerb verb;
        const char *error; /* the reply to an invalid command; NULL: it is valid */
        uint64_t size;     /* of the message, as MAIL announces it; 0: not announced */
        char address[SMTP_ADDRESS_MAX + 1]; /* of MAIL ("": no sender) or RCPT */
} SmtpCommand;

SmtpCommand smtp_parse_command(Span line);

/* Whether the text is an address of ASCII characters, with or without "@" and a domain. */
bool smtp_address_is_valid(Span address);

/* Returns the code in a line of a reply, or 0 if the line is not part of a reply. Sets *ret_is_last
 * to whether the line is the last one of the reply: such a line has no '-' after the code. */
unsigned smtp_parse_reply(Span line, bool *ret_is_last);

/* bellhop-mail puts a field with this name, which names the instance, before each message that it
 * passes on. It leaves out all fields with this name that the message already has. */
#define SMTP_MARK "X-Bellhop-Instance"

typedef enum SmtpPlace {
        SMTP_LINE_START, /* after CR LF */
        SMTP_LINE,
        SMTP_LINE_CR,
        SMTP_DOT, /* a dot, which may end the message */
        SMTP_DOT_CR,
        SMTP_END,
} SmtpPlace;

/* The state of a message while it is read. Start with zeros. */
typedef struct SmtpBody {
        SmtpPlace place;
        const char *error; /* the reply to a message that must not be sent; NULL: none */
        bool is_in_text;   /* after the header */
        bool is_hidden;    /* the current field is SMTP_MARK, and is left out */
        bool is_field;     /* the line may be a field SMTP_MARK */
        bool has_line;     /* the first line has begun */
        size_t n_line;     /* bytes of the line so far */
        size_t n_out;      /* written bytes of the line */
        size_t n_blanks;   /* after the name of the field */
} SmtpBody;

/* The largest number of bytes that smtp_body_read() writes when it reads n bytes. */
#define SMTP_BODY_ROOM(n) ((n)*3 + 64)

/* Reads a piece of a message. Stops at the end of the message, and sets body->place to SMTP_END.
 * Writes the piece to out as it is sent to the mail server: with CR LF at the end of each line,
 * dots at the start of lines doubled, and without fields SMTP_MARK. Removes the read bytes from
 * *in. Returns the number of bytes written.
 */
size_t smtp_body_read(SmtpBody *body, Span *in, uint8_t out[]);
