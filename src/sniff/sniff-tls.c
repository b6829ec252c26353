/* SPDX-License-Identifier: MIT */
/* This parser must never be more lenient than the instance's OpenSSL, and both must find the same
 * server name in a ClientHello (here called hello). Of the other parts of a hello, only the
 * structure is checked; the instance checks their contents. */
#include "sniff/reader.h"

/* RFC 8446 section 5.1. */
#define RECORD_HANDSHAKE   22
#define RECORD_HEADER_SIZE 5
#define RECORD_SIZE_MAX    16384

/* RFC 8446 section 4. */
#define HANDSHAKE_CLIENT_HELLO 1
#define HANDSHAKE_HEADER_SIZE  4

/* Limits of RFC 8446 section 4.1.2 and of OpenSSL for the size of a hello. The shortest hello has
 * one cipher suite, one compression method and no extensions; the longest has 34 + 33 + 2 + 65534 +
 * 256 + 2 + 65535 bytes. */
#define VERSION_RANDOM_SIZE (2 + 32)
#define HELLO_SIZE_MIN      (VERSION_RANDOM_SIZE + 1 + 2 + 2 + 1 + 1)
#define HELLO_SIZE_MAX      131396
#define SESSION_ID_SIZE_MAX 32

/* The server_name extension: RFC 6066 section 3. SERVER_NAME_LENGTH_MAX is OpenSSL's limit. */
#define EXTENSION_SERVER_NAME  0
#define NAME_TYPE_HOST_NAME    0
#define SERVER_NAME_PREFIX     (2 + 1 + 2) /* length of the list, type, length of the name */
#define SERVER_NAME_LENGTH_MAX 255

/* RFC 8737 section 4: in the hello of an ACME challenge, the list of ALPN (RFC 7301 section 3.1)
 * has only this protocol. */
#define EXTENSION_ALPN 16
static const uint8_t acme_alone[] = { 0, 11, 10, 'a', 'c', 'm', 'e', '-', 't', 'l', 's', '/', '1' };

/* A position in the handshake message. Reading continues across the ends of TLS records. */
typedef struct Cursor {
        Reader in;
        size_t record_left;  /* the bytes of the open record that are not taken yet, whether they
                                have arrived or not */
        size_t message_left; /* the bytes of the message that are not taken yet; until the length is
                                known, those of the shortest possible message */
        uint8_t alert;       /* the alert for a malformed hello; 0: the default, decode_error */
        bool alpn_seen;
} Cursor;

static bool tls_check(Cursor *c, bool is_valid, uint8_t alert)
{
        if (!is_valid)
                c->alert = alert;
        return reader_check(&c->in, is_valid);
}

/* Takes a record header. Checks each byte as soon as it has arrived, because the rest of a wrong
 * header may never arrive. */
static bool tls_open_record(Cursor *c)
{
        const Span before = c->in.rest;
        uint32_t minor_version, size;

        if (c->in.rest.size > 0 &&
            !tls_check(c, c->in.rest.data[0] == RECORD_HANDSHAKE, SNIFF_UNEXPECTED_MESSAGE))
                return false;
        if (!reader_expect(&c->in, (const uint8_t[]){ RECORD_HANDSHAKE, 3 }, 2))
                return false;
        if (!span_take_uint(&c->in.rest, 1, &minor_version) ||
            !span_take_uint(&c->in.rest, 2, &size)) {
                c->in.rest = before;
                return reader_stop(&c->in, SNIFF_MORE);
        }
        c->record_left = size;
        /* RFC 8446 section 5.1: no handshake record is empty. Endless empty records would cost
         * time. */
        return tls_check(c, size > 0, SNIFF_UNEXPECTED_MESSAGE) &&
               tls_check(c, size <= RECORD_SIZE_MAX, SNIFF_RECORD_OVERFLOW);
}

/* Takes size bytes of the message, and skips record headers between them. Copies the bytes to `to`,
 * unless it is NULL. */
static bool tls_take(Cursor *c, size_t size, uint8_t *to)
{
        Span part;

        if (size > c->message_left)
                return reader_stop(&c->in, SNIFF_MALFORMED);
        while (size > 0) {
                size_t n = size;

                if (c->record_left == 0 && !tls_open_record(c))
                        return false;
                if (n > c->record_left)
                        n = c->record_left;
                if (n > c->in.rest.size)
                        n = c->in.rest.size;
                if (n == 0 || !span_take(&c->in.rest, n, &part))
                        return reader_stop(&c->in, SNIFF_MORE);
                for (size_t i = 0; to != NULL && i < n; i++)
                        *to++ = part.data[i];
                c->record_left -= n;
                c->message_left -= n;
                size -= n;
        }
        return true;
}

/* Takes an unsigned integer of size <= 4 bytes. */
static bool tls_take_uint(Cursor *c, size_t size, uint32_t *ret)
{
        uint8_t bytes[4];
        Span s = { .data = bytes, .size = size };

        return tls_take(c, size, bytes) && span_take_uint(&s, size, ret);
}

/* Returns the least input size that can complete the hello. The open record must be complete. If
 * the message goes on after it, the input needs this rest of the message, too, and the headers of
 * the fewest records that can hold the rest. The caller waits for this size, so a hello of n
 * records of one byte costs O(log n) calls, not O(n). */
static size_t tls_need(const Cursor *c, size_t input_size)
{
        size_t beyond = c->message_left > c->record_left ? c->message_left - c->record_left : 0;
        size_t n_records = (beyond + RECORD_SIZE_MAX - 1) / RECORD_SIZE_MAX;

        return input_size - c->in.rest.size + c->record_left + beyond +
               n_records * RECORD_HEADER_SIZE;
}

static bool tls_take_header(Cursor *c)
{
        uint32_t type, size;

        if (!tls_take_uint(c, 1, &type) ||
            !tls_check(c, type == HANDSHAKE_CLIENT_HELLO, SNIFF_UNEXPECTED_MESSAGE) ||
            !tls_take_uint(c, 3, &size))
                return false;
        c->message_left = size;
        return reader_check(&c->in, size >= HELLO_SIZE_MIN) &&
               tls_check(c, size <= HELLO_SIZE_MAX, SNIFF_ILLEGAL_PARAMETER);
}

/* Skips the fields from legacy_version to legacy_compression_methods. */
static bool tls_skip_fields(Cursor *c)
{
        uint32_t size;

        return tls_take(c, VERSION_RANDOM_SIZE, NULL) && tls_take_uint(c, 1, &size) &&
               reader_check(&c->in, size <= SESSION_ID_SIZE_MAX) && tls_take(c, size, NULL) &&
               tls_take_uint(c, 2, &size) && reader_check(&c->in, size % 2 == 0) &&
               tls_check(c, size > 0, SNIFF_ILLEGAL_PARAMETER) && tls_take(c, size, NULL) &&
               tls_take_uint(c, 1, &size) && reader_check(&c->in, size > 0) &&
               tls_take(c, size, NULL);
}

/* RFC 6066 allows a list of names of different types, but only the type host_name exists. OpenSSL
 * accepts only a list with exactly one name. The router must not use the first name of a list that
 * OpenSSL refuses. */
static bool tls_take_server_name(Cursor *c, size_t extension_size, Sniff *s)
{
        uint32_t size, type;

        s->host_length = extension_size - SERVER_NAME_PREFIX;
        return reader_check(&c->in, extension_size > SERVER_NAME_PREFIX) &&
               tls_check(c, s->host_length <= SERVER_NAME_LENGTH_MAX, SNIFF_UNRECOGNIZED_NAME) &&
               tls_take_uint(c, 2, &size) && reader_check(&c->in, size == extension_size - 2) &&
               tls_take_uint(c, 1, &type) && reader_check(&c->in, type == NAME_TYPE_HOST_NAME) &&
               tls_take_uint(c, 2, &size) && reader_check(&c->in, size == s->host_length) &&
               tls_take(c, size, s->host) &&
               /* "good.example\0.evil.example" is one name for this parser, but another name for
                * code with C strings. */
               tls_check(c, !memchr(s->host, '\0', size), SNIFF_UNRECOGNIZED_NAME);
}

/* Recognizes only the ALPN list of an ACME challenge; the instance checks any other list. Two ALPN
 * lists are a mistake, and not a challenge. */
static bool tls_take_alpn(Cursor *c, size_t extension_size, Sniff *s)
{
        uint8_t list[sizeof(acme_alone)];
        const bool fits = extension_size == sizeof(list);

        if (!tls_take(c, extension_size, fits ? list : NULL))
                return false;
        s->offers_acme = fits && !c->alpn_seen && memcmp(list, acme_alone, sizeof(list)) == 0;
        c->alpn_seen = true;
        return true;
}

static bool tls_take_extension(Cursor *c, uint32_t type, size_t size, Sniff *s)
{
        if (type == EXTENSION_ALPN)
                return tls_take_alpn(c, size, s);
        if (type != EXTENSION_SERVER_NAME)
                return tls_take(c, size, NULL);
        /* RFC 8446 section 4.2: at most one extension of each type. */
        return tls_check(c, s->host_length == 0, SNIFF_ILLEGAL_PARAMETER) &&
               tls_take_server_name(c, size, s);
}

static bool tls_take_extensions(Cursor *c, Sniff *s)
{
        uint32_t size, head;

        /* Before TLS 1.3 a hello could end here: RFC 5246 section 7.4.1.2. */
        if (c->message_left == 0)
                return true;
        if (!tls_take_uint(c, 2, &size) || !reader_check(&c->in, size == c->message_left))
                return false;
        while (c->message_left > 0) {
                if (!tls_take_uint(c, 4, &head))
                        return false;
                size = head & 0xffff;
                if (!reader_check(&c->in, size <= c->message_left) ||
                    !tls_take_extension(c, head >> 16, size, s))
                        return false;
        }
        return true;
}

Sniff sniff_tls(Span in)
{
        Sniff s = { .protocol = BELLHOP_PROTOCOL_TLS };
        Cursor c = { .in.rest = in, .message_left = HANDSHAKE_HEADER_SIZE + HELLO_SIZE_MIN };

        /* OpenSSL reads whole records. An instance that got the connection before the end of the
         * record could only wait. */
        if (tls_take_header(&c) && tls_skip_fields(&c) && tls_take_extensions(&c, &s) &&
            (c.in.rest.size >= c.record_left || reader_stop(&c.in, SNIFF_MORE))) {
                s.outcome = s.host_length > 0 ? SNIFF_HOST : SNIFF_NO_HOST;
                return s;
        }
        s = (Sniff){ .outcome = c.in.verdict, .protocol = BELLHOP_PROTOCOL_TLS, .alert = c.alert };
        if (s.outcome == SNIFF_MORE)
                s.need_bytes = tls_need(&c, in.size);
        return s;
}
