/* SPDX-License-Identifier: MIT */
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "ctl/change/self-signed.h"
#include "util/cleanup.h"
#include "util/text.h"

#define DAYS            825 /* some clients refuse a longer life, also if self-signed */
#define RSA_BITS        2048
#define SERIAL_BITS     127
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

/* Returns the hosts and addresses as alternative names of a certificate, such as
 * "DNS:a.example,IP:192.0.2.7", to be freed. NULL: no memory. */
static char *self_signed_names(const Hosts *hosts)
{
        _cleanup_free_ char *names = NULL;
        size_t size;
        FILE *out = open_memstream(&names, &size);

        if (!out)
                return NULL;
        for (size_t i = 0; i < hosts->n_hosts; i++)
                fprintf(out, "%sDNS:%s", i > 0 ? "," : "", hosts->hosts[i]);
        for (size_t i = 0; i < hosts->n_addresses; i++) {
                char ip[ADDRESS_TEXT_MAX];
                Address address;

                if (!address_parse(span_from_string(hosts->addresses[i]), &address))
                        continue;
                address.port = 0; /* a certificate contains no port */
                address_format(&address, ip);
                fprintf(out, "%sIP:%s", hosts->n_hosts + i > 0 ? "," : "", ip);
        }
        return fclose(out) == 0 ? take_ptr(names) : NULL;
}

static bool self_signed_set_serial(X509 *certificate)
{
        BIGNUM *number = BN_new();
        const bool good = number &&
                          BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                          BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

        BN_free(number);
        return good;
}

static bool self_signed_set_name(X509_NAME *subject, const char *name)
{
        /* Leaves out a name that is too long for a common name, because browsers look only at the
         * alternative names. */
        return strlen(name) > COMMON_NAME_MAX ||
               X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                          -1, -1, 0) == 1;
}

static bool self_signed_extend(X509 *certificate, const char *names)
{
        /* The extensions, in the syntax of x509v3_config(5). */
        const struct {
                int nid;
                const char *value;
        } extensions[] = {
                { NID_basic_constraints, "critical,CA:FALSE" },
                { NID_key_usage, "critical,digitalSignature" },
                { NID_ext_key_usage, "serverAuth" },
                { NID_subject_alt_name, names },
                { NID_subject_key_identifier, "hash" },
        };
        bool good = true;
        X509V3_CTX context;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
        for (size_t i = 0; good && i < ELEMENTSOF(extensions); i++) {
                X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, extensions[i].nid,
                                                                 extensions[i].value);

                good = extension && X509_add_ext(certificate, extension, -1) == 1;
                X509_EXTENSION_free(extension);
        }
        return good;
}

static X509 *self_signed_certificate(EVP_PKEY *key, const Hosts *hosts)
{
        _cleanup_free_ char *names = self_signed_names(hosts);
        const char *name = hosts->n_hosts > 0 ? hosts->hosts[0] : "address";
        X509 *certificate = X509_new();

        if (names && certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
            self_signed_set_serial(certificate) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
            X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) &&
            X509_set_pubkey(certificate, key) == 1 &&
            self_signed_set_name(X509_get_subject_name(certificate), name) &&
            X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
            self_signed_extend(certificate, names) && X509_sign(certificate, key, EVP_sha256()) > 0)
                return certificate;
        X509_free(certificate);
        return NULL;
}

typedef struct SelfSigned {
        const Hosts *hosts;
        AcmeKeyType type;
} SelfSigned;

/* A TlsMake for tls_files_put(): makes a key and its certificate. */
static int self_signed_pair(const void *userdata, TlsPair *ret)
{
        const SelfSigned *wanted = userdata;
        X509 *certificate = NULL;

        ret->chain = sk_X509_new_null();
        ret->key = wanted->type == ACME_KEY_RSA ? EVP_RSA_gen(RSA_BITS) : EVP_EC_gen("P-256");
        if (ret->chain && ret->key)
                certificate = self_signed_certificate(ret->key, wanted->hosts);
        ERR_clear_error();
        if (certificate && sk_X509_push(ret->chain, certificate) > 0)
                return 0;
        X509_free(certificate);
        return -ENOMEM;
}

int self_signed_make(const char *config_dir, const char *instance, const char *host,
                     const Hosts *hosts, AcmeKeyType type, bool replace)
{
        const SelfSigned wanted = { hosts, type };

        return hosts->n_hosts == 0 && hosts->n_addresses == 0
                       ? TLS_FILES_NO_NAME
                       : tls_files_put(config_dir, instance, host, self_signed_pair, &wanted,
                                       replace);
}

static bool self_signed_ask_for(X509_REQ *request, const char *names)
{
        STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
        X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, NID_subject_alt_name, names);
        const bool good = extensions && extension &&
                          sk_X509_EXTENSION_push(extensions, extension) > 0 &&
                          X509_REQ_add_extensions(request, extensions) == 1;

        sk_X509_EXTENSION_free(extensions);
        X509_EXTENSION_free(extension);
        return good;
}

static char *self_signed_print(X509_REQ *request)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        FILE *out = open_memstream(&text, &size);
        const bool good = out && PEM_write_X509_REQ(out, request) == 1;

        return out && fclose(out) == 0 && good ? take_ptr(text) : NULL;
}

int request_make(int folder, EVP_PKEY *key, const void *hosts_of_request, char **ret_text)
{
        const Hosts *hosts = hosts_of_request;
        const Hosts alone = { .hosts = hosts->hosts, .n_hosts = hosts->n_hosts };
        _cleanup_free_ char *names = self_signed_names(&alone);
        X509_REQ *request = X509_REQ_new();
        int r = -ENOTSUP;
        /* Keys of these types have their own digest, and refuse another one. */
        const bool has_own = EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448");

        if (names && request && X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
            self_signed_set_name(X509_REQ_get_subject_name(request), hosts->hosts[0]) &&
            X509_REQ_set_pubkey(request, key) == 1 && self_signed_ask_for(request, names) &&
            X509_REQ_sign(request, key, has_own ? NULL : EVP_sha256()) > 0)
                r = (*ret_text = self_signed_print(request)) ? 0 : -ENOMEM;
        X509_REQ_free(request);
        ERR_clear_error();
        return r;
}
