/* SPDX-License-Identifier: MIT */
/*
 * Asks OpenSSL about certificates. OpenSSL keeps a queue of errors. Each function here that can
 * add an error to the queue also empties the queue.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "ctl/ask/certificate.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define CERTIFICATE_FILE_MAX_BYTES (1024U * 1024)
/* Enough for an RSA key of 16384 bits. A signature with a larger key could take hours. */
#define CERTIFICATE_OWN_KEY_MAX_BYTES (16U * 1024)

#define DAY_SECONDS  (24 * 3600)
#define SOON_SECONDS (30 * DAY_SECONDS)
/* Debian's OpenSSL and browsers require this strength: RSA keys of 2048 bits, and signatures with
 * SHA-2. */
#define SECURITY_BITS_MIN 112

void certificates_free(STACK_OF(X509) * certificates)
{
        sk_X509_pop_free(certificates, X509_free);
}

/* Whether the last error only means that no further certificate follows. */
static bool certificate_was_the_end(void)
{
        const unsigned long error = ERR_peek_last_error();

        return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

PemResult certificates_parse(const char *text, size_t size, STACK_OF(X509) * *ret)
{
        STACK_OF(X509) *certificates = sk_X509_new_null();
        BIO *bio = BIO_new_mem_buf(text, (int)size);
        PemResult result = PEM_BROKEN;
        X509 *certificate;

        ERR_clear_error();
        if (certificates && bio) {
                while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
                        if (!sk_X509_push(certificates, certificate)) {
                                X509_free(certificate);
                                break;
                        }
                if (!certificate && certificate_was_the_end())
                        result = sk_X509_num(certificates) > 0 ? PEM_TAKEN : PEM_NOTHING;
        }
        BIO_free(bio);
        ERR_clear_error();
        if (result == PEM_TAKEN)
                *ret = certificates;
        else
                certificates_free(certificates);
        return result;
}

static int certificate_note_pass_phrase(char *buffer, int size, int writing, void *userdata)
{
        *(bool *)userdata = true;
        return -1;
}

/* Whether OpenSSL reads a private key of this kind quickly. For a key of another kind, such as DSA,
 * OpenSSL computes the public key, which can take months if the key fills the largest allowed file.
 * Servers do not use the other kinds. */
static bool certificate_is_cheap_kind(int nid)
{
        return nid == EVP_PKEY_RSA || nid == EVP_PKEY_RSA_PSS || nid == EVP_PKEY_EC ||
               nid == EVP_PKEY_ED25519 || nid == EVP_PKEY_ED448;
}

/* Whether OpenSSL reads all keys in the text quickly. Looks at the content of each PEM block, not
 * at its name, because OpenSSL does not rely on the name either. */
static bool certificate_keys_are_cheap(const char *text, size_t size)
{
        BIO *bio = BIO_new_mem_buf(text, (int)size);
        bool cheap = bio != NULL;
        char *name, *header;
        unsigned char *data;
        long length;

        while (cheap && PEM_read_bio(bio, &name, &header, &data, &length) == 1) {
                const unsigned char *at = data;
                PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, length);
                const ASN1_OBJECT *kind = NULL;

                if (info && PKCS8_pkey_get0(&kind, NULL, NULL, NULL, info) == 1)
                        cheap = certificate_is_cheap_kind(OBJ_obj2nid(kind));
                PKCS8_PRIV_KEY_INFO_free(info);
                OPENSSL_free(name);
                OPENSSL_free(header);
                OPENSSL_clear_free(data, (size_t)length);
        }
        BIO_free(bio);
        return cheap;
}

static PemResult certificate_parse_key(const char *text, size_t size, EVP_PKEY **ret)
{
        BIO *bio = certificate_keys_are_cheap(text, size) ? BIO_new_mem_buf(text, (int)size) : NULL;
        bool encrypted = false;
        PemResult result = PEM_BROKEN;
        EVP_PKEY *key = NULL;

        ERR_clear_error();
        if (bio)
                key = PEM_read_bio_PrivateKey(bio, NULL, certificate_note_pass_phrase, &encrypted);
        if (key)
                result = PEM_TAKEN;
        else if (encrypted)
                result = PEM_ENCRYPTED;
        else if (memmem(text, size, " PRIVATE KEY-----", 17) == NULL)
                result = PEM_NOTHING;
        BIO_free(bio);
        ERR_clear_error();
        if (key)
                *ret = key;
        return result;
}

static int certificate_read_all(int folder, const char *path, int flags, STACK_OF(X509) * *ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        const int r = file_read_at(folder, path, flags, CERTIFICATE_FILE_MAX_BYTES, &text, &size);

        return r < 0 ? r : (int)certificates_parse(text, size, ret);
}

int certificates_read(const char *path, STACK_OF(X509) * *ret)
{
        return certificate_read_all(AT_FDCWD, path, 0, ret);
}

int certificates_read_own(int folder, const char *name, STACK_OF(X509) * *ret)
{
        return certificate_read_all(folder, name, O_NOFOLLOW, ret);
}

static int certificate_read_key(int folder, const char *path, int flags, size_t size_max,
                                EVP_PKEY **ret)
{
        _cleanup_free_ char *text = NULL;
        size_t size;
        int r = file_read_at(folder, path, flags, size_max, &text, &size);

        if (r < 0)
                return r;
        r = (int)certificate_parse_key(text, size, ret);
        explicit_bzero(text, size);
        return r;
}

int key_read(const char *path, EVP_PKEY **ret)
{
        return certificate_read_key(AT_FDCWD, path, 0, CERTIFICATE_FILE_MAX_BYTES, ret);
}

int key_read_own(int folder, const char *name, EVP_PKEY **ret)
{
        return certificate_read_key(folder, name, O_NOFOLLOW, CERTIFICATE_OWN_KEY_MAX_BYTES, ret);
}

bool certificate_is_self_signed(X509 *certificate)
{
        return X509_self_signed(certificate, 0) == 1;
}

static X509 *certificate_find_leaf(STACK_OF(X509) * certificates, EVP_PKEY *key)
{
        const int n = sk_X509_num(certificates);

        for (int i = 0; key && i < n; i++)
                if (X509_check_private_key(sk_X509_value(certificates, i), key) == 1)
                        return sk_X509_value(certificates, i);
        for (int i = 0; i < n; i++)
                if (X509_check_ca(sk_X509_value(certificates, i)) == 0)
                        return sk_X509_value(certificates, i);
        return sk_X509_value(certificates, 0);
}

static bool certificate_store_has_issuer(X509_STORE *store, X509 *certificate)
{
        X509_STORE_CTX *context = X509_STORE_CTX_new();
        X509 *issuer = NULL;
        bool found = false;

        if (context && X509_STORE_CTX_init(context, store, certificate, NULL) == 1)
                found = X509_STORE_CTX_get1_issuer(&issuer, context, certificate) == 1;
        X509_free(issuer);
        X509_STORE_CTX_free(context);
        ERR_clear_error();
        return found;
}

static ChainState certificate_judge_end(const Chain *chain, X509_STORE *store)
{
        const bool is_alone = chain->n == 1;
        _cleanup_free_ char *url = certificate_issuer_url(chain->last);

        if (certificate_store_has_issuer(store, chain->last))
                return CHAIN_TRUSTED;
        if (certificate_is_self_signed(chain->last))
                return is_alone ? CHAIN_SELF_SIGNED : CHAIN_UNTRUSTED;
        /* If the last certificate contains no URL of its issuer's certificate, the issuer is
         * probably the root of a private authority. Its clients already have the root, so no
         * certificate is missing in the chain. */
        return is_alone || url ? CHAIN_INCOMPLETE : CHAIN_UNTRUSTED;
}

static X509 *certificate_find_issuer(STACK_OF(X509) * certificates, const Chain *chain)
{
        for (int i = 0; i < sk_X509_num(certificates); i++) {
                X509 *issuer = sk_X509_value(certificates, i);
                int n = 0;

                if (certificate_is_self_signed(chain->last) ||
                    X509_check_issued(issuer, chain->last) != X509_V_OK)
                        continue;
                while (n < chain->n && chain->linked[n] != issuer)
                        n++;
                /* A certificate that is already in the chain would make a loop. */
                if (n == chain->n)
                        return issuer;
        }
        return NULL;
}

Chain chain_judge(STACK_OF(X509) * certificates, EVP_PKEY *key, X509_STORE *store)
{
        Chain chain = { .in_order = true, .leaf = certificate_find_leaf(certificates, key) };

        assert(chain.leaf);
        for (X509 *next = chain.leaf; next && chain.n < CHAIN_MAX;
             next = certificate_find_issuer(certificates, &chain)) {
                chain.in_order &= next == sk_X509_value(certificates, chain.n);
                chain.linked[chain.n++] = chain.last = next;
        }
        chain.state = certificate_judge_end(&chain, store);
        ERR_clear_error();
        return chain;
}

static time_t certificate_time_of(const ASN1_TIME *time)
{
        struct tm tm = { 0 };

        return ASN1_TIME_to_tm(time, &tm) == 1 ? timegm(&tm) : 0;
}

time_t certificate_not_before(const X509 *certificate)
{
        return certificate_time_of(X509_get0_notBefore(certificate));
}

time_t certificate_not_after(const X509 *certificate)
{
        return certificate_time_of(X509_get0_notAfter(certificate));
}

Validity certificate_validity(const X509 *certificate, time_t now)
{
        const time_t begin = certificate_not_before(certificate);
        const time_t end = certificate_not_after(certificate), third = (end - begin) / 3;

        if (now < begin)
                return VALIDITY_NOT_YET;
        if (now > end)
                return VALIDITY_OVER;
        return end - now < (third < SOON_SECONDS ? third : SOON_SECONDS) ? VALIDITY_ENDS_SOON
                                                                         : VALIDITY_GOOD;
}

bool certificate_covers(X509 *certificate, const char *host)
{
        char sample[300];
        int length;

        /* Checks only the certificate's alternative names, because browsers ignore its subject. */
        if (host[0] != '*')
                return X509_check_host(certificate, host, 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                                       NULL) == 1;
        length = snprintf(sample, sizeof(sample), "any-label%s", host + 1);
        return length > 0 && X509_check_host(certificate, sample, (size_t)length,
                                             X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1;
}

bool certificate_covers_names(X509 *certificate, X509 *other)
{
        _cleanup_free_ char *names = certificate_names(other);
        char *rest = NULL;

        for (char *name = names ? strtok_r(names, "\n", &rest) : NULL; name;
             name = strtok_r(NULL, "\n", &rest))
                if (!certificate_covers(certificate, name))
                        return false;
        return true;
}

bool certificate_covers_like(X509 *certificate, X509 *other, const Hosts *hosts,
                             const Instance *instance)
{
        for (size_t i = 0; i < hosts->n_hosts; i++)
                if (certificate_covers(other, hosts->hosts[i]) &&
                    !certificate_covers(certificate, hosts->hosts[i]))
                        return false;
        return !hosts_are_open(hosts, instance) || certificate_covers_names(certificate, other);
}

const char *certificate_weakness(X509 *certificate)
{
        const EVP_PKEY *key = X509_get0_pubkey(certificate);
        int bits;

        if (!key || EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
                return "its key is too short";
        /* No client relies on the signature of a self-signed certificate. */
        if (!certificate_is_self_signed(certificate) &&
            X509_get_signature_info(certificate, NULL, NULL, &bits, NULL) == 1 &&
            bits < SECURITY_BITS_MIN)
                return "its signature uses a broken digest";
        return NULL;
}

static char *certificate_name_of(const X509_NAME *name)
{
        BIO *bio = BIO_new(BIO_s_mem());
        char *data, *text = NULL;

        if (bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) > 0) {
                const long size = BIO_get_mem_data(bio, &data);

                text = strndup(data, (size_t)size);
        }
        BIO_free(bio);
        ERR_clear_error();
        return text;
}

char *certificate_subject(X509 *certificate)
{
        return certificate_name_of(X509_get_subject_name(certificate));
}

char *certificate_issuer(X509 *certificate)
{
        return certificate_name_of(X509_get_issuer_name(certificate));
}

/* Writes the name as one line: text_make_harmless() also removes line feeds from the name. */
static void certificate_put_name(FILE *out, const GENERAL_NAME *name)
{
        char address[INET6_ADDRSTRLEN];
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
        const unsigned char *data = ASN1_STRING_get0_data(value);
        const int size = ASN1_STRING_length(value);

        if (type == GEN_DNS) {
                _cleanup_free_ char *host = calloc(1, (size_t)size + 1);

                /* A NUL must not hide the rest of the name. */
                for (int i = 0; host && i < size; i++)
                        host[i] = data[i] ? (char)data[i] : '?';
                text_make_harmless(host, 0);
                fprintf(out, "%s\n", host ? host : "");
        } else if (type == GEN_IPADD && (size == 4 || size == 16)) {
                fprintf(out, "%s\n",
                        inet_ntop(size == 4 ? AF_INET : AF_INET6, data, address, sizeof(address)));
        }
}

char *certificate_names(X509 *certificate)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        _cleanup_free_ char *text = NULL;
        size_t size = 0;
        FILE *out = names ? open_memstream(&text, &size) : NULL;

        for (int i = 0; out && i < sk_GENERAL_NAME_num(names); i++)
                certificate_put_name(out, sk_GENERAL_NAME_value(names, i));
        GENERAL_NAMES_free(names);
        ERR_clear_error();
        if (!out || fclose(out) != 0 || size == 0)
                return NULL;
        text[size - 1] = 0;
        return take_ptr(text);
}

char *certificate_key_type(X509 *certificate)
{
        const EVP_PKEY *key = X509_get0_pubkey(certificate);
        const char *type = key ? EVP_PKEY_get0_type_name(key) : NULL, *curve = NULL;
        char group[64];

        if (!type)
                return NULL;
        if (EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1) {
                curve = EC_curve_nid2nist(OBJ_txt2nid(group));
                curve = curve ? curve : group;
        }
        ERR_clear_error();
        return curve ? text_format("%s %s", type, curve)
                     : text_format("%s %d", type, EVP_PKEY_get_bits(key));
}

char *certificate_signature(X509 *certificate)
{
        const char *name = OBJ_nid2ln(X509_get_signature_nid(certificate));

        return name ? strdup(name) : NULL;
}

static char *certificate_hex_of(const unsigned char *bytes, size_t size)
{
        char text[3 * EVP_MAX_MD_SIZE + 1];

        return OPENSSL_buf2hexstr_ex(text, sizeof(text), NULL, bytes, (long)size, ':') == 1
                       ? strdup(text)
                       : NULL;
}

char *certificate_serial(X509 *certificate)
{
        const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);

        return certificate_hex_of(ASN1_STRING_get0_data(serial),
                                  (size_t)ASN1_STRING_length(serial));
}

char *certificate_fingerprint(X509 *certificate)
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size;

        return X509_digest(certificate, EVP_sha256(), digest, &size) == 1
                       ? certificate_hex_of(digest, size)
                       : NULL;
}

char *certificate_issuer_url(X509 *certificate)
{
        AUTHORITY_INFO_ACCESS *infos = X509_get_ext_d2i(certificate, NID_info_access, NULL, NULL);
        char *url = NULL;

        for (int i = 0; !url && i < sk_ACCESS_DESCRIPTION_num(infos); i++) {
                const ACCESS_DESCRIPTION *info = sk_ACCESS_DESCRIPTION_value(infos, i);
                const ASN1_STRING *value;
                int type;

                value = GENERAL_NAME_get0_value(info->location, &type);
                if (OBJ_obj2nid(info->method) == NID_ad_ca_issuers && type == GEN_URI)
                        url = strndup((const char *)ASN1_STRING_get0_data(value),
                                      (size_t)ASN1_STRING_length(value));
        }
        AUTHORITY_INFO_ACCESS_free(infos);
        ERR_clear_error();
        return url;
}
