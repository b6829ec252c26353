/* SPDX-License-Identifier: MIT */
/* The client's side of TLS 1.3 with as little work as possible: see tls13.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

#define TLS_HASH       32
#define TLS_RECORD_MAX (5 + 16384 + 256)
#define TLS_HELLO_MAX  600

typedef struct TlsKeys {
        uint8_t key[16];
        uint8_t iv[12];
        uint64_t sequence;
} TlsKeys;

typedef struct Tls {
        SHA256_CTX transcript;
        TlsKeys read, write;
        uint8_t client_secret[TLS_HASH];
        uint8_t handshake_secret[TLS_HASH];
        bool has_server_hello;
        bool done; /* the handshake is complete, and application data follows */
} Tls;

/* Makes the ClientHello that all connections to a host send. Called once for each host, before
 * tls_start(). */
size_t tls_make_hello(const char *host, uint8_t ret[static TLS_HELLO_MAX]);

void tls_init(void);
void tls_start(Tls *tls, const uint8_t *hello, size_t size);

/* Takes a complete record of the server, and decrypts it in place. The plaintext is *ret_size bytes
 * from *ret_data on, 0 bytes if it is not application data. Returns false if a server should not
 * send this record. */
bool tls_take_record(Tls *tls, uint8_t *record, size_t size, uint8_t **ret_data, size_t *ret_size);

/* Called when done has become true. Makes the client's Finished and the first request. Returns
 * their size. */
size_t tls_finish(Tls *tls, const char *request, size_t size, uint8_t *ret);
size_t tls_seal(TlsKeys *keys, uint8_t type, const void *data, size_t size, uint8_t *ret);
