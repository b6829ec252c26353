/* SPDX-License-Identifier: MIT */
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "acme-tls/certificate.h"

#define COMMON_NAME "bellhop-acme-tls"
#define SERIAL_BITS 127

/* The beginning and the end of the certificate's validity, relative to now. Only the authority
 * reads the certificate, and it does so immediately, but its clock may differ from ours. */
#define BEFORE_SEC (-24 * 3600L)
#define AFTER_SEC  (24 * 3600L)

/* RFC 8737 section 6.1: id-pe-acmeIdentifier. */
#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31"

static bool certificate_set_serial(X509 *certificate)
{
        BIGNUM *number = BN_new();
        const bool good = number &&
                          BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                          BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));

        BN_free(number);
        return good;
}

static bool certificate_set_names(X509 *certificate)
{
        X509_NAME *subject = X509_get_subject_name(certificate);

        return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                          (const unsigned char *)COMMON_NAME, -1, -1, 0) == 1 &&
               X509_set_issuer_name(certificate, subject) == 1;
}

static bool certificate_add_host(X509 *certificate, const char *host)
{
        GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        bool good = names && name && text && ASN1_STRING_set(text, host, -1) == 1;

        if (good) {
                GENERAL_NAME_set0_value(name, GEN_DNS, text);
                text = NULL;
                good = sk_GENERAL_NAME_push(names, name) > 0;
        }
        if (good) {
                name = NULL;
                good = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
        }
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(name);
        GENERAL_NAMES_free(names);
        return good;
}

/* The value of an extension is an OCTET STRING. The content of this OCTET STRING is a second one,
 * encoded in DER: a byte with the type, a byte with the length, and the digest. */
static bool certificate_add_digest(X509 *certificate,
                                   const uint8_t digest[static CHALLENGE_DIGEST_SIZE])
{
        uint8_t value[2 + CHALLENGE_DIGEST_SIZE] = { V_ASN1_OCTET_STRING, CHALLENGE_DIGEST_SIZE };
        ASN1_OBJECT *type = OBJ_txt2obj(ACME_IDENTIFIER, 1);
        ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
        X509_EXTENSION *extension = NULL;
        bool good;

        memcpy(value + 2, digest, CHALLENGE_DIGEST_SIZE);
        if (type && data && ASN1_OCTET_STRING_set(data, value, sizeof(value)) == 1)
                extension = X509_EXTENSION_create_by_OBJ(NULL, type, 1, data);
        good = extension && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        ASN1_OCTET_STRING_free(data);
        ASN1_OBJECT_free(type);
        return good;
}

X509 *certificate_make(EVP_PKEY *key, const char *host,
                       const uint8_t digest[static CHALLENGE_DIGEST_SIZE])
{
        X509 *certificate = X509_new();

        if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
            certificate_set_serial(certificate) && certificate_set_names(certificate) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate), BEFORE_SEC) &&
            X509_gmtime_adj(X509_getm_notAfter(certificate), AFTER_SEC) &&
            X509_set_pubkey(certificate, key) == 1 && certificate_add_host(certificate, host) &&
            certificate_add_digest(certificate, digest) &&
            X509_sign(certificate, key, EVP_sha256()) > 0)
                return certificate;
        X509_free(certificate);
        return NULL;
}
