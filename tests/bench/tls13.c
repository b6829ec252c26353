/* SPDX-License-Identifier: MIT */
/*
 * The client's side of a TLS 1.3 handshake in which the server does all of its usual work and the
 * client does little. So one client can keep any server busy. OpenSSL's own client needs more CPU
 * time than the server.
 *
 * The client's key share is the curve's base point, as if the client's secret were 1. The shared
 * secret is then the server's own key share, and the client has nothing to compute. The client does
 * not verify the server's certificate, signature, Finished and record tags. It protects nobody:
 * never use it for anything but measuring.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_*() costs less than EVP_Digest*() */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "tls13.h"

enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22, APPLICATION_DATA = 23 };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, FINISHED = 20 };

#define TAG_SIZE 16
/* Browsers pad a ClientHello to this size, or send a larger one with post-quantum key shares. */
#define HELLO_SIZE 517

static const uint8_t base_point[32] = { 9 };
static uint8_t empty_hash[TLS_HASH], derived_early[TLS_HASH];
static EVP_CIPHER_CTX *cipher;

static void sha256(const void *data, size_t size, uint8_t ret[static TLS_HASH])
{
        SHA256_CTX context;

        SHA256_Init(&context);
        SHA256_Update(&context, data, size);
        SHA256_Final(ret, &context);
}

/* All keys here have 32 bytes. */
static void hmac(const uint8_t key[static TLS_HASH], const void *data, size_t size,
                 uint8_t ret[static TLS_HASH])
{
        uint8_t pad[SHA256_CBLOCK];
        SHA256_CTX context;

        for (size_t i = 0; i < sizeof(pad); i++)
                pad[i] = (i < TLS_HASH ? key[i] : 0) ^ 0x36;
        SHA256_Init(&context);
        SHA256_Update(&context, pad, sizeof(pad));
        SHA256_Update(&context, data, size);
        SHA256_Final(ret, &context);
        for (size_t i = 0; i < sizeof(pad); i++)
                pad[i] ^= 0x36 ^ 0x5c;
        SHA256_Init(&context);
        SHA256_Update(&context, pad, sizeof(pad));
        SHA256_Update(&context, ret, TLS_HASH);
        SHA256_Final(ret, &context);
}

/* HKDF-Expand-Label of RFC 8446 section 7.1. No caller needs more than one block. */
static void expand(const uint8_t secret[static TLS_HASH], const char *label, const uint8_t *context,
                   size_t context_size, uint8_t *ret, size_t size)
{
        const size_t label_size = strlen(label);
        uint8_t info[64 + TLS_HASH], block[TLS_HASH];
        size_t n = 0;

        info[n++] = (uint8_t)(size >> 8);
        info[n++] = (uint8_t)size;
        info[n++] = (uint8_t)(6 + label_size);
        memcpy(info + n, "tls13 ", 6);
        memcpy(info + n + 6, label, label_size);
        n += 6 + label_size;
        info[n++] = (uint8_t)context_size;
        if (context_size > 0)
                memcpy(info + n, context, context_size);
        n += context_size;
        info[n++] = 1;
        hmac(secret, info, n, block);
        memcpy(ret, block, size);
}

static void derive(const uint8_t secret[static TLS_HASH], const char *label,
                   const uint8_t hash[static TLS_HASH], uint8_t ret[static TLS_HASH])
{
        expand(secret, label, hash, TLS_HASH, ret, TLS_HASH);
}

static void make_keys(TlsKeys *keys, const uint8_t secret[static TLS_HASH])
{
        expand(secret, "key", NULL, 0, keys->key, sizeof(keys->key));
        expand(secret, "iv", NULL, 0, keys->iv, sizeof(keys->iv));
        keys->sequence = 0;
}

static void transcript_hash(const Tls *tls, uint8_t ret[static TLS_HASH])
{
        SHA256_CTX copy = tls->transcript;

        SHA256_Final(ret, &copy);
}

void tls_init(void)
{
        const uint8_t zero[TLS_HASH] = { 0 };
        uint8_t early[TLS_HASH];

        cipher = EVP_CIPHER_CTX_new();
        EVP_CipherInit_ex(cipher, EVP_aes_128_gcm(), NULL, NULL, NULL, 1);
        sha256("", 0, empty_hash);
        hmac(zero, zero, sizeof(zero), early);
        derive(early, "derived", empty_hash, derived_early);
}

static uint8_t *put16(uint8_t *at, size_t value)
{
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
        return at + 2;
}

static uint8_t *put_extension(uint8_t *at, unsigned type, const void *data, size_t size)
{
        at = put16(at, type);
        at = put16(at, size);
        memcpy(at, data, size);
        return at + size;
}

static uint8_t *put_server_name(uint8_t *at, const char *host)
{
        const size_t size = strlen(host);

        at = put16(at, 0);
        at = put16(at, size + 5);
        at = put16(at, size + 3);
        *at++ = 0;
        at = put16(at, size);
        memcpy(at, host, size);
        return at + size;
}

size_t tls_make_hello(const char *host, uint8_t ret[static TLS_HELLO_MAX])
{
        static const uint8_t before_extensions[] = { 0x00, 0x02, 0x13, 0x01, 0x01, 0x00 };
        uint8_t key_share[2 + 4 + sizeof(base_point)] = { 0, 36, 0, 0x1d, 0, 32 };
        uint8_t *at = ret, *extensions;

        memset(ret, 0, TLS_HELLO_MAX);
        *at++ = HANDSHAKE;
        at = put16(at, 0x0301);
        at = put16(at, HELLO_SIZE - 5);
        *at++ = CLIENT_HELLO;
        *at++ = 0;
        at = put16(at, HELLO_SIZE - 9);
        at = put16(at, 0x0303);
        RAND_bytes(at, 32);
        at += 32;
        *at++ = 32; /* as browsers do, for middleboxes */
        RAND_bytes(at, 32);
        at += 32;
        memcpy(at, before_extensions, sizeof(before_extensions));
        at += sizeof(before_extensions);
        extensions = at;
        at = put_server_name(at + 2, host);
        at = put_extension(at, 10, "\x00\x02\x00\x1d", 4); /* X25519 */
        at = put_extension(at, 13, "\x00\x02\x04\x03", 4); /* ECDSA with P-256 */
        at = put_extension(at, 43, "\x02\x03\x04", 3);     /* TLS 1.3 */
        at = put_extension(at, 45, "\x01\x01", 2);         /* allows tickets, which are not used */
        memcpy(key_share + 6, base_point, sizeof(base_point));
        at = put_extension(at, 51, key_share, sizeof(key_share));
        at = put16(at, 21); /* padding */
        (void)put16(at, (size_t)(ret + HELLO_SIZE - at - 2));
        (void)put16(extensions, (size_t)(ret + HELLO_SIZE - extensions - 2));
        return HELLO_SIZE;
}

void tls_start(Tls *tls, const uint8_t *hello, size_t size)
{
        *tls = (Tls){ .done = false };
        SHA256_Init(&tls->transcript);
        SHA256_Update(&tls->transcript, hello + 5, size - 5);
}

static void make_nonce(const TlsKeys *keys, uint8_t ret[static 12])
{
        memcpy(ret, keys->iv, 12);
        for (size_t i = 0; i < 8; i++)
                ret[4 + i] ^= (uint8_t)(keys->sequence >> (56 - 8 * i));
}

size_t tls_seal(TlsKeys *keys, uint8_t type, const void *data, size_t size, uint8_t *ret)
{
        uint8_t nonce[12];
        int n;

        make_nonce(keys, nonce);
        keys->sequence++;
        ret[0] = APPLICATION_DATA;
        (void)put16(ret + 1, 0x0303);
        (void)put16(ret + 3, size + 1 + TAG_SIZE);
        EVP_CipherInit_ex(cipher, NULL, NULL, keys->key, nonce, 1);
        EVP_CipherUpdate(cipher, NULL, &n, ret, 5);
        EVP_CipherUpdate(cipher, ret + 5, &n, data, (int)size);
        EVP_CipherUpdate(cipher, ret + 5 + size, &n, &type, 1);
        EVP_CipherFinal_ex(cipher, ret + 5 + size + 1, &n);
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, ret + 5 + size + 1);
        return 5 + size + 1 + TAG_SIZE;
}

/* Decrypts a record in place, from record + 5 on. Returns the type of its content; 0: not a valid
 * record. */
static uint8_t open_record(TlsKeys *keys, uint8_t *record, size_t size, size_t *ret_size)
{
        uint8_t nonce[12];
        size_t inside;
        int n;

        if (size < 5 + 1 + TAG_SIZE)
                return 0;
        inside = size - 5 - TAG_SIZE;
        make_nonce(keys, nonce);
        keys->sequence++;
        EVP_CipherInit_ex(cipher, NULL, NULL, keys->key, nonce, 0);
        EVP_CipherUpdate(cipher, record + 5, &n, record + 5, (int)inside);
        while (inside > 0 && record[5 + inside - 1] == 0)
                inside--;
        if (inside == 0)
                return 0;
        *ret_size = inside - 1;
        return record[5 + inside - 1];
}

/* The server's key share, which is also the shared secret. */
static const uint8_t *find_key_share(const uint8_t *hello, size_t size)
{
        size_t at = 4 + 2 + 32;

        at += at < size ? 1U + hello[at] : size;
        at += 2 + 1 + 2; /* cipher, compression, size of the extensions */
        while (at + 4 <= size) {
                const unsigned type = (unsigned)hello[at] << 8 | hello[at + 1];
                const size_t length = (size_t)hello[at + 2] << 8 | hello[at + 3];

                if (type == 51 && length == 36 && at + 4 + length <= size)
                        return hello + at + 8;
                at += 4 + length;
        }
        return NULL;
}

static bool take_server_hello(Tls *tls, const uint8_t *hello, size_t size)
{
        const uint8_t *shared =
                size > 4 && hello[0] == SERVER_HELLO ? find_key_share(hello, size) : NULL;
        uint8_t hash[TLS_HASH], server_secret[TLS_HASH];

        if (!shared)
                return false;
        SHA256_Update(&tls->transcript, hello, size);
        transcript_hash(tls, hash);
        hmac(derived_early, shared, 32, tls->handshake_secret);
        derive(tls->handshake_secret, "c hs traffic", hash, tls->client_secret);
        derive(tls->handshake_secret, "s hs traffic", hash, server_secret);
        make_keys(&tls->read, server_secret);
        make_keys(&tls->write, tls->client_secret);
        tls->has_server_hello = true;
        return true;
}

/* Servers may put several messages into a record, or one message into several records. Only the
 * last message matters: Finished, which is short and comes in one piece. */
static void take_handshake(Tls *tls, const uint8_t *data, size_t size)
{
        SHA256_Update(&tls->transcript, data, size);
        tls->done = size >= 4 + TLS_HASH && data[size - 4 - TLS_HASH] == FINISHED &&
                    data[size - 3 - TLS_HASH] == 0 && data[size - 2 - TLS_HASH] == 0 &&
                    data[size - 1 - TLS_HASH] == TLS_HASH;
}

bool tls_take_record(Tls *tls, uint8_t *record, size_t size, uint8_t **ret_data, size_t *ret_size)
{
        size_t inside = 0;
        uint8_t type;

        *ret_size = 0;
        *ret_data = record + 5;
        if (record[0] == CHANGE_CIPHER_SPEC)
                return true;
        if (!tls->has_server_hello)
                return record[0] == HANDSHAKE && take_server_hello(tls, record + 5, size - 5);
        if (record[0] != APPLICATION_DATA)
                return false;
        type = open_record(&tls->read, record, size, &inside);
        if (type == HANDSHAKE && !tls->done)
                take_handshake(tls, record + 5, inside);
        else if (type == APPLICATION_DATA)
                *ret_size = inside;
        return type != 0;
}

size_t tls_finish(Tls *tls, const char *request, size_t size, uint8_t *ret)
{
        const uint8_t zero[TLS_HASH] = { 0 };
        uint8_t hash[TLS_HASH], secret[TLS_HASH], master[TLS_HASH];
        uint8_t finished[4 + TLS_HASH] = { FINISHED, 0, 0, TLS_HASH };
        size_t n;

        transcript_hash(tls, hash);
        expand(tls->client_secret, "finished", NULL, 0, secret, TLS_HASH);
        hmac(secret, hash, TLS_HASH, finished + 4);
        n = tls_seal(&tls->write, HANDSHAKE, finished, sizeof(finished), ret);

        derive(tls->handshake_secret, "derived", empty_hash, secret);
        hmac(secret, zero, sizeof(zero), master);
        derive(master, "s ap traffic", hash, secret);
        make_keys(&tls->read, secret);
        derive(master, "c ap traffic", hash, secret);
        make_keys(&tls->write, secret);
        return n + tls_seal(&tls->write, APPLICATION_DATA, request, size, ret + n);
}
