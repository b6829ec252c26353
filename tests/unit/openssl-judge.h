/* SPDX-License-Identifier: MIT */
/*
 * What OpenSSL makes of a client's first bytes: a server that has read them and then stops. Its
 * name is read late, when versions and suites have been judged; what stopped before that is asked
 * again in a hello that is good but for its server name.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "unit.h"

#define JUDGE_EXTENSION_MAX 65536
#define JUDGE_NAME_MAX      255

typedef enum Stage {
        STAGE_MORE,    /* it waits for bytes */
        STAGE_REFUSED, /* it does not accept the message as a hello */
        STAGE_HELLO,   /* structure and extensions are good; it refused by what is in them */
        STAGE_NAME,    /* it has taken the server name, or that there is none */
} Stage;

typedef struct Judgement {
        Stage stage;
        bool goes_on;  /* it got to the name without help */
        int reason;    /* STAGE_REFUSED, STAGE_HELLO: SSL_R_... */
        uint8_t alert; /* that it sent; 0: none */
        bool has_name;
        size_t name_length;
        char name[JUDGE_NAME_MAX + 1];
        bool offers_acme;   /* ALPN, as OpenSSL would let a server choose from it */
        bool has_extension; /* server_name, as it came */
        size_t extension_size;
        uint8_t extension[JUDGE_EXTENSION_MAX];
} Judgement;

static inline int judge_on_hello(SSL *ssl, int *alert, void *user)
{
        Judgement *j = SSL_get_app_data(ssl);
        const unsigned char *data;
        size_t size;

        j->stage = STAGE_HELLO;
        j->has_extension = SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &data, &size);
        if (j->has_extension) {
                assert_true(size <= sizeof(j->extension));
                j->extension_size = size;
                memcpy(j->extension, data, size);
        }
        j->offers_acme =
                SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation,
                                          &data, &size) &&
                size == 2 + 1 + strlen("acme-tls/1") &&
                memcmp(data,
                       "\0\x0b\x0a"
                       "acme-tls/1",
                       size) == 0;
        return SSL_CLIENT_HELLO_SUCCESS;
}

static inline int judge_on_name(SSL *ssl, int *alert, void *user)
{
        Judgement *j = SSL_get_app_data(ssl);
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

        j->stage = STAGE_NAME;
        j->has_name = name != NULL;
        if (name) {
                j->name_length = strlen(name);
                assert_true(j->name_length <= JUDGE_NAME_MAX);
                memcpy(j->name, name, j->name_length + 1);
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* As lenient as OpenSSL can be made: an instance may have any of this in its own settings. */
static inline SSL_CTX *judge_context(void)
{
        static SSL_CTX *context = NULL;

        if (context)
                return context;
        context = SSL_CTX_new(TLS_server_method());
        assert_non_null(context);
        SSL_CTX_set_security_level(context, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(context, 0), 1);
        assert_int_equal(SSL_CTX_set_cipher_list(context, "ALL:COMPLEMENTOFALL"), 1);
        SSL_CTX_set_client_hello_cb(context, judge_on_hello, NULL);
        SSL_CTX_set_tlsext_servername_callback(context, judge_on_name);
        return context;
}

/* RFC 8446 sections 5.1 and 6: a record of one fatal alert. */
static inline void judge_read_alert(BIO *from, Judgement *j)
{
        uint8_t record[8];

        j->alert = 0;
        if (BIO_read(from, record, sizeof(record)) == 7 && record[0] == 21 && record[5] == 2)
                j->alert = record[6];
}

static inline void judge_once(Span in, Judgement *j)
{
        SSL *ssl = SSL_new(judge_context());
        BIO *from = BIO_new_mem_buf(in.data, (int)in.size), *to = BIO_new(BIO_s_mem());
        int r;

        assert_true(ssl && from && to);
        BIO_set_mem_eof_return(from, -1); /* no end, only nothing more for now */
        SSL_set_bio(ssl, from, to);
        SSL_set_accept_state(ssl);
        SSL_set_app_data(ssl, j);
        ERR_clear_error();
        r = SSL_do_handshake(ssl);
        assert_int_not_equal(r, 1);
        if (SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ) {
                assert_int_equal(j->stage, STAGE_MORE);
        } else {
                if (j->stage == STAGE_MORE)
                        j->stage = STAGE_REFUSED;
                j->reason = ERR_GET_REASON(ERR_peek_error());
                judge_read_alert(to, j);
        }
        ERR_clear_error();
        SSL_free(ssl);
}

/* A hello of TLS 1.2 that everybody takes, with this server_name extension. */
static inline size_t judge_build_hello(const Judgement *with, uint8_t *to)
{
        static const uint8_t suites[] = { 0, 0, 2, 0xc0, 0x2b, 1, 0 };
        const size_t block = 4 + with->extension_size;
        const size_t size = 2 + 32 + sizeof(suites) + 2 + block;
        uint8_t *at = to;

        memcpy(at, (uint8_t[]){ 1, (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size }, 4);
        memcpy(at + 4, (uint8_t[]){ 3, 3 }, 2);
        memset(at + 6, 'r', 32);
        memcpy(at + 38, suites, sizeof(suites));
        at += 38 + sizeof(suites);
        memcpy(at, (uint8_t[]){ (uint8_t)(block >> 8), (uint8_t)block, 0, 0 }, 4);
        memcpy(at + 4,
               (uint8_t[]){ (uint8_t)(with->extension_size >> 8), (uint8_t)with->extension_size },
               2);
        memcpy(at + 6, with->extension, with->extension_size);
        return 4 + size;
}

/* As the name alone is judged; false where there is no way to ask, because it is too long. */
static inline bool judge_name_alone(const Judgement *with, Judgement *j)
{
        static uint8_t message[JUDGE_EXTENSION_MAX], record[JUDGE_EXTENSION_MAX];
        size_t size;

        if (with->extension_size > 16000)
                return false;
        size = judge_build_hello(with, message);
        memcpy(record, (uint8_t[]){ 22, 3, 1, (uint8_t)(size >> 8), (uint8_t)size }, 5);
        memcpy(record + 5, message, size);
        j->stage = STAGE_MORE;
        j->has_name = false;
        judge_once((Span){ .data = record, .size = size + 5 }, j);
        return true;
}

static inline void judge(Span in, Judgement *j)
{
        static Judgement alone;

        j->stage = STAGE_MORE;
        j->reason = 0;
        j->alert = 0;
        j->has_name = j->has_extension = j->offers_acme = false;
        j->extension_size = 0;
        judge_once(in, j);
        j->goes_on = j->stage == STAGE_NAME;
        if (j->stage != STAGE_HELLO)
                return;
        /* Versions and suites stopped it, or the name did: only the latter stops it again. */
        if (j->has_extension && !(judge_name_alone(j, &alone) && alone.stage == STAGE_NAME))
                return;
        j->stage = STAGE_NAME;
        if (!j->has_extension)
                return;
        j->has_name = alone.has_name;
        j->name_length = alone.name_length;
        memcpy(j->name, alone.name, sizeof(j->name));
}
