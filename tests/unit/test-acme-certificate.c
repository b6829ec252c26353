/* SPDX-License-Identifier: MIT */
/* The certificate of a challenge, as RFC 8737 section 3 wants it. */
#include "unit.h"

#include <openssl/x509v3.h>

#include "acme-tls/certificate.h"

static EVP_PKEY *key;

static int make_key(void **state)
{
        key = EVP_EC_gen("P-256");
        return key ? 0 : -1;
}

static int free_key(void **state)
{
        EVP_PKEY_free(key);
        return 0;
}

static void check_host(const X509 *certificate, const char *host)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        const GENERAL_NAME *name;

        assert_non_null(names);
        assert_int_equal(sk_GENERAL_NAME_num(names), 1);
        name = sk_GENERAL_NAME_value(names, 0);
        assert_int_equal(name->type, GEN_DNS);
        assert_int_equal(ASN1_STRING_length(name->d.dNSName), strlen(host));
        assert_memory_equal(ASN1_STRING_get0_data(name->d.dNSName), host, strlen(host));
        GENERAL_NAMES_free(names);
}

static void check_digest(const X509 *certificate, const uint8_t *digest)
{
        ASN1_OBJECT *type = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
        const int at = X509_get_ext_by_OBJ(certificate, type, -1);
        X509_EXTENSION *extension = X509_get_ext(certificate, at);
        const ASN1_OCTET_STRING *data;
        const unsigned char *value;
        ASN1_OCTET_STRING *inner;

        assert_true(at >= 0);
        assert_int_equal(X509_get_ext_by_OBJ(certificate, type, at), -1);
        assert_int_equal(X509_EXTENSION_get_critical(extension), 1);
        data = X509_EXTENSION_get_data(extension);
        value = ASN1_STRING_get0_data(data);
        inner = d2i_ASN1_OCTET_STRING(NULL, &value, ASN1_STRING_length(data));
        assert_non_null(inner);
        /* Nothing follows it. */
        assert_ptr_equal(value, ASN1_STRING_get0_data(data) + ASN1_STRING_length(data));
        assert_int_equal(ASN1_STRING_length(inner), CHALLENGE_DIGEST_SIZE);
        assert_memory_equal(ASN1_STRING_get0_data(inner), digest, CHALLENGE_DIGEST_SIZE);
        ASN1_OCTET_STRING_free(inner);
        ASN1_OBJECT_free(type);
}

static void test_certificate(void **state)
{
        char longest[254];
        const char *const hosts[] = { "alice.example", "a", "xn--bcher-kva.example", longest };
        uint8_t digest[CHALLENGE_DIGEST_SIZE];

        memset(longest, 'x', sizeof(longest));
        for (size_t i = 63; i < sizeof(longest); i += 64)
                longest[i] = '.';
        longest[sizeof(longest) - 1] = 0;
        for (size_t i = 0; i < ELEMENTSOF(hosts); i++) {
                X509 *certificate;

                for (size_t k = 0; k < sizeof(digest); k++)
                        digest[k] = (uint8_t)(i * 50 + k * 9);
                certificate = certificate_make(key, hosts[i], digest);
                assert_non_null(certificate);
                assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
                assert_int_equal(X509_verify(certificate, key), 1);
                assert_int_equal(X509_get_ext_count(certificate), 2);
                assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(certificate)), -1);
                assert_int_equal(X509_cmp_current_time(X509_get0_notAfter(certificate)), 1);
                check_host(certificate, hosts[i]);
                check_digest(certificate, digest);
                X509_free(certificate);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_certificate) };

        return cmocka_run_group_tests_name("acme-certificate", tests, make_key, free_key);
}
