/* SPDX-License-Identifier: MIT */
/*
 * Finds pending challenges of certificate authorities (RFC 8555 section 8) in files that
 * bellhop-acme writes: DIR/http-01/HOST/TOKEN contains the answer that is sent over HTTP.
 * DIR/tls-alpn-01/HOST contains the digest for the certificate with which bellhop-acme-tls answers
 * over TLS. A challenge is pending while its file exists. Also finds the answers of a customer's
 * own ACME client.
 */
#pragma once

#include "util/span.h"

#define CHALLENGE_DIR "/run/bellhop-acme"

/* The name of bellhop-acme-tls's hand-off socket, which is in the runtime folder of the router. The
 * names of instances' sockets end with ".handoff", so no instance's socket has this name. */
#define CHALLENGE_SOCKET "acme-tls"

typedef enum ChallengeType {
        CHALLENGE_NONE,
        CHALLENGE_HTTP, /* RFC 8555 section 8.3 */
        CHALLENGE_TLS,  /* RFC 8737 */
} ChallengeType;

#define CHALLENGE_TYPES CHALLENGE_TLS

/* The names of the types in the RFCs; the index is a ChallengeType minus 1. */
extern const char *const challenge_names[CHALLENGE_TYPES];

/* An authority requests this path, followed by a token, over plain HTTP to test whether the
 * requester of a certificate controls the host (http-01, RFC 8555 section 8.3). */
#define CHALLENGE_PATH "/.well-known/acme-challenge/"

#define CHALLENGE_TOKEN_MAX   128
#define CHALLENGE_ANSWER_MAX  512
#define CHALLENGE_DIGEST_SIZE 32

/* Whether the path begins with CHALLENGE_PATH. Pure. */
bool challenge_is_path(Span path);

/* Finds the token in the path of a request for an http-01 challenge. A valid token consists of 1 to
 * CHALLENGE_TOKEN_MAX characters of base64url (RFC 8555 section 8.3). Returns false, and does not
 * set *ret, if the path is another one, or if the token is not valid. Pure. */
bool challenge_find_token(Span path, Span *ret);

/* Whether a challenge may be pending: the folder of at least one type is not empty. */
bool challenge_is_any_pending(const char *dir);

/* Reads the answer for a token: a key authorization (RFC 8555 section 8.1). host: canonical. token:
 * a valid token. Returns the size of the answer, or 0 if no such challenge is pending. Never
 * waits. */
size_t challenge_read_answer(const char *dir, const char *host, Span token,
                             char ret[static CHALLENGE_ANSWER_MAX]);

/* Does the same for an answer that the customer's own ACME client has written: the file
 * ROOT/.well-known/acme-challenge/TOKEN. The file may end with blanks and line ends. */
size_t challenge_read_site_answer(const char *root, Span token,
                                  char ret[static CHALLENGE_ANSWER_MAX]);

/* Reads the digest for a host. False: no such challenge is pending. Never waits. */
bool challenge_read_digest(const char *dir, const char *host,
                           uint8_t ret[static CHALLENGE_DIGEST_SIZE]);

/* The media type of an answer. */
#define CHALLENGE_MEDIA_TYPE "application/octet-stream"

#define CHALLENGE_REPLY_MAX (256 + CHALLENGE_ANSWER_MAX)

/* Sets ret to the router's HTTP reply to a GET or HEAD request for the answer. Returns the size of
 * the reply. Pure. */
size_t challenge_reply(Span method, Span answer, char ret[static CHALLENGE_REPLY_MAX]);
