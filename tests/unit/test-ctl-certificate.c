/* SPDX-License-Identifier: MIT */
/* What is judged about certificates, on ones that are made here. */
#include "unit.h"

#include <openssl/dsa.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "config/names.h"
#include "ctl/ask/certificate.h"
#include "ctl/change/self-signed.h"

#define DAY 86400L
#define NOW 1700000000L

typedef struct Made {
        X509 *certificate;
        EVP_PKEY *key;
} Made;

typedef struct Wanted {
        const char *name;
        const Made *issuer; /* NULL: itself */
        const char *names;
        const char *issuer_url;
        bool is_authority;
        long begin, end;
        const EVP_MD *digest;
        unsigned rsa_bits; /* 0: P-256 */
} Wanted;

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
        X509V3_CTX context;
        X509_EXTENSION *extension;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
        assert_non_null(extension);
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
}

static Made make(Wanted wanted)
{
        static long serial = 1;
        Made made = { .certificate = X509_new(),
                      .key = wanted.rsa_bits ? EVP_RSA_gen(wanted.rsa_bits) : EVP_EC_gen("P-256") };
        const Made *issuer = wanted.issuer ? wanted.issuer : &made;
        X509_NAME *subject = X509_get_subject_name(made.certificate);

        assert_non_null(made.key);
        X509_set_version(made.certificate, X509_VERSION_3);
        ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
        ASN1_TIME_set(X509_getm_notBefore(made.certificate),
                      wanted.begin ? wanted.begin : NOW - DAY);
        ASN1_TIME_set(X509_getm_notAfter(made.certificate),
                      wanted.end ? wanted.end : NOW + 365 * DAY);
        X509_set_pubkey(made.certificate, made.key);
        assert_int_equal(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                    (const unsigned char *)wanted.name, -1, -1, 0),
                         1);
        X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
        extend(made.certificate, issuer->certificate, NID_basic_constraints,
               wanted.is_authority ? "critical,CA:TRUE" : "CA:FALSE");
        extend(made.certificate, issuer->certificate, NID_subject_key_identifier, "hash");
        if (wanted.issuer)
                extend(made.certificate, issuer->certificate, NID_authority_key_identifier,
                       "keyid");
        if (wanted.names)
                extend(made.certificate, issuer->certificate, NID_subject_alt_name, wanted.names);
        if (wanted.issuer_url) {
                char value[256];

                snprintf(value, sizeof(value), "caIssuers;URI:%s", wanted.issuer_url);
                extend(made.certificate, issuer->certificate, NID_info_access, value);
        }
        assert_true(X509_sign(made.certificate, issuer->key,
                              wanted.digest ? wanted.digest : EVP_sha256()) > 0);
        return made;
}

static void made_done(Made *made)
{
        X509_free(made->certificate);
        EVP_PKEY_free(made->key);
}

#define _cleanup_made_ _cleanup_(made_done)

/* An authority with one between it and the site. */
typedef struct Family {
        Made root, middle, leaf;
        X509_STORE *store; /* has the root */
} Family;

static int family_setup(void **state)
{
        Family *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        f->root = make((Wanted){ .name = "root", .is_authority = true });
        f->middle = make((Wanted){ .name = "middle", .issuer = &f->root, .is_authority = true });
        f->leaf = make((Wanted){ .name = "leaf", .issuer = &f->middle, .names = "DNS:a.example" });
        f->store = X509_STORE_new();
        assert_int_equal(X509_STORE_add_cert(f->store, f->root.certificate), 1);
        *state = f;
        return 0;
}

static int family_teardown(void **state)
{
        Family *f = *state;

        made_done(&f->root);
        made_done(&f->middle);
        made_done(&f->leaf);
        X509_STORE_free(f->store);
        free(f);
        return 0;
}

static Chain judge(X509 *certificates[], EVP_PKEY *key, X509_STORE *store)
{
        STACK_OF(X509) *stack = sk_X509_new_null();
        Chain chain;

        for (; *certificates; certificates++)
                assert_true(sk_X509_push(stack, *certificates) > 0);
        chain = chain_judge(stack, key, store);
        sk_X509_free(stack);
        return chain;
}

#define JUDGE(key, store, ...) judge((X509 *[]){ __VA_ARGS__, NULL }, key, store)

#define assert_linked(chain, ...) \
        assert_chain(chain, (X509 *[]){ __VA_ARGS__ }, sizeof((X509 *[]){ __VA_ARGS__ }))

static void assert_chain(const Chain *chain, X509 *expected[], size_t size)
{
        assert_int_equal(chain->n * sizeof(*expected), size);
        assert_memory_equal(chain->linked, expected, size);
        assert_ptr_equal(chain->leaf, expected[0]);
        assert_ptr_equal(chain->last, expected[chain->n - 1]);
}

static void test_chain(void **state)
{
        const Family *f = *state;
        X509 *root = f->root.certificate, *middle = f->middle.certificate,
             *leaf = f->leaf.certificate;
        Chain chain = JUDGE(f->leaf.key, f->store, leaf, middle);

        assert_int_equal(chain.state, CHAIN_TRUSTED);
        assert_true(chain.in_order);
        assert_linked(&chain, leaf, middle);

        chain = JUDGE(f->leaf.key, f->store, leaf, middle, root);
        assert_int_equal(chain.state, CHAIN_TRUSTED);
        assert_true(chain.in_order);
        assert_linked(&chain, leaf, middle, root);
}

static void test_chain_in_wrong_order(void **state)
{
        const Family *f = *state;
        X509 *root = f->root.certificate, *middle = f->middle.certificate,
             *leaf = f->leaf.certificate;
        Chain chain = JUDGE(f->leaf.key, f->store, middle, leaf);

        assert_false(chain.in_order);
        assert_linked(&chain, leaf, middle);
        assert_int_equal(chain.state, CHAIN_TRUSTED);

        chain = JUDGE(f->leaf.key, f->store, leaf, root, middle);
        assert_false(chain.in_order);
        assert_linked(&chain, leaf, middle, root);

        /* Without a key, the instance's is the one that is not an authority. */
        chain = JUDGE(NULL, f->store, root, middle, leaf);
        assert_linked(&chain, leaf, middle, root);
}

static void test_chain_with_a_stranger(void **state)
{
        const Family *f = *state;
        _cleanup_made_ Made stranger = make((Wanted){ .name = "stranger", .is_authority = true });
        Chain chain = JUDGE(f->leaf.key, f->store, f->leaf.certificate, f->middle.certificate,
                            stranger.certificate);

        /* After the chain it does no harm. */
        assert_true(chain.in_order);
        assert_linked(&chain, f->leaf.certificate, f->middle.certificate);

        chain = JUDGE(f->leaf.key, f->store, f->leaf.certificate, stranger.certificate,
                      f->middle.certificate);
        assert_false(chain.in_order);
        assert_linked(&chain, f->leaf.certificate, f->middle.certificate);

        /* Nor does a copy, but before the rest of the chain it is in the way. */
        chain = JUDGE(f->leaf.key, f->store, f->leaf.certificate, f->leaf.certificate,
                      f->middle.certificate);
        assert_false(chain.in_order);
}

static void test_chain_incomplete(void **state)
{
        const Family *f = *state;
        X509_STORE *nobody = X509_STORE_new();
        _cleanup_made_ Made self = make((Wanted){ .name = "self", .names = "DNS:a.example" });
        _cleanup_made_ Made fetched = make((Wanted){ .name = "fetched",
                                                     .issuer = &f->root,
                                                     .is_authority = true,
                                                     .issuer_url = "http://ca.example/root.crt" });
        _cleanup_made_ Made leaf = make((Wanted){ .name = "leaf", .issuer = &fetched });

        assert_int_equal(JUDGE(f->leaf.key, f->store, f->leaf.certificate).state, CHAIN_INCOMPLETE);
        assert_int_equal(JUDGE(self.key, f->store, self.certificate).state, CHAIN_SELF_SIGNED);
        /* A private authority's is complete, as far as can be seen. */
        assert_int_equal(
                JUDGE(f->leaf.key, nobody, f->leaf.certificate, f->middle.certificate).state,
                CHAIN_UNTRUSTED);
        assert_int_equal(JUDGE(f->leaf.key, nobody, f->leaf.certificate, f->middle.certificate,
                               f->root.certificate)
                                 .state,
                         CHAIN_UNTRUSTED);
        /* One that says where its issuer's is published is public. */
        assert_int_equal(JUDGE(leaf.key, nobody, leaf.certificate, fetched.certificate).state,
                         CHAIN_INCOMPLETE);
        X509_STORE_free(nobody);
}

/* A loop of two authorities that have issued each other, and many copies of a certificate. */
static void test_chain_without_end(void **state)
{
        const Family *f = *state;
        _cleanup_made_ Made a = make((Wanted){ .name = "a", .is_authority = true });
        _cleanup_made_ Made b = make((Wanted){ .name = "b", .issuer = &a, .is_authority = true });
        STACK_OF(X509) *stack = sk_X509_new_null();
        Chain chain;

        X509_set_issuer_name(a.certificate, X509_get_subject_name(b.certificate));
        assert_true(X509_sign(a.certificate, b.key, EVP_sha256()) > 0);
        chain = JUDGE(a.key, f->store, a.certificate, b.certificate);
        assert_linked(&chain, a.certificate, b.certificate);

        for (size_t i = 0; i < 200; i++)
                assert_true(sk_X509_push(stack, f->root.certificate) > 0);
        chain = chain_judge(stack, NULL, f->store);
        assert_linked(&chain, f->root.certificate);
        sk_X509_free(stack);
}

static void test_validity(void **state)
{
        static const struct {
                long begin, end;
                Validity expected;
        } cases[] = {
                { NOW - 10 * DAY, NOW + 80 * DAY, VALIDITY_GOOD },
                { NOW - 60 * DAY, NOW + 30 * DAY, VALIDITY_GOOD },
                { NOW - 61 * DAY, NOW + 29 * DAY, VALIDITY_ENDS_SOON },
                { NOW - 300 * DAY, NOW + 29 * DAY, VALIDITY_ENDS_SOON },
                { NOW - 3 * DAY, NOW + 3 * DAY, VALIDITY_GOOD }, /* a short life */
                { NOW - 5 * DAY, NOW + 1 * DAY, VALIDITY_ENDS_SOON },
                { NOW - 9 * DAY, NOW - 1, VALIDITY_OVER },
                { NOW - 9 * DAY, NOW, VALIDITY_ENDS_SOON },
                { NOW + 1, NOW + 9 * DAY, VALIDITY_NOT_YET },
                { NOW, NOW + 9 * DAY, VALIDITY_GOOD },
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_made_ Made made =
                        make((Wanted){ .name = "a", .begin = cases[i].begin, .end = cases[i].end });

                assert_int_equal(certificate_validity(made.certificate, NOW), cases[i].expected);
                assert_int_equal(certificate_not_before(made.certificate), cases[i].begin);
                assert_int_equal(certificate_not_after(made.certificate), cases[i].end);
        }
}

static void test_covers(void **state)
{
        static const struct {
                const char *host;
                bool expected;
        } cases[] = {
                { "a.example", true },         { "www.a.example", false },
                { "shop.b.example", true },    { "b.example", false },
                { "x.shop.b.example", false }, { "*.b.example", true },
                { "*.a.example", false },      { "*.shop.b.example", false },
                { "common.example", false }, /* only the subject says so */
        };
        _cleanup_made_ Made made = make((Wanted){
                .name = "common.example", .names = "DNS:a.example,DNS:*.b.example,IP:192.0.2.7" });
        _cleanup_free_ char *names = certificate_names(made.certificate);

        (void)state;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                assert_int_equal(certificate_covers(made.certificate, cases[i].host),
                                 cases[i].expected);
        assert_string_equal(names, "a.example\n*.b.example\n192.0.2.7");
}

/* A certificate is the customer's to make: what claims to be an address need not be one. */
static void test_names_of_any_size(void **state)
{
        static const unsigned char bytes[] = { 192, 0, 2, 7, 1 };
        GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
        X509 *certificate = X509_new();

        (void)state;
        for (int size = 0; size <= (int)sizeof(bytes); size++) {
                GENERAL_NAME *name = GENERAL_NAME_new();
                ASN1_OCTET_STRING *address = ASN1_OCTET_STRING_new();

                assert_int_equal(ASN1_OCTET_STRING_set(address, bytes, size), 1);
                GENERAL_NAME_set0_value(name, GEN_IPADD, address);
                assert_true(sk_GENERAL_NAME_push(names, name) > 0);
        }
        assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
        {
                _cleanup_free_ char *text = certificate_names(certificate);

                assert_string_equal(text, "192.0.2.7");
        }
        sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
        X509_free(certificate);
}

static void test_weakness(void **state)
{
        const Family *f = *state;
        _cleanup_made_ Made short_key = make((Wanted){ .name = "a", .rsa_bits = 1024 });
        _cleanup_made_ Made long_key = make((Wanted){ .name = "a", .rsa_bits = 2048 });
        _cleanup_made_ Made sha1 =
                make((Wanted){ .name = "a", .issuer = &f->middle, .digest = EVP_sha1() });
        _cleanup_made_ Made own_sha1 = make((Wanted){ .name = "a", .digest = EVP_sha1() });

        assert_string_equal(certificate_weakness(short_key.certificate), "its key is too short");
        assert_null(certificate_weakness(long_key.certificate));
        assert_null(certificate_weakness(f->leaf.certificate));
        assert_string_equal(certificate_weakness(sha1.certificate),
                            "its signature uses a broken digest");
        assert_null(certificate_weakness(own_sha1.certificate));
}

static void assert_text(char *text, const char *expected)
{
        assert_string_equal(text, expected);
        free(text);
}

static void test_texts(void **state)
{
        const Family *f = *state;
        _cleanup_made_ Made rsa = make((Wanted){ .name = "m\303\274ller, inc",
                                                 .issuer = &f->root,
                                                 .rsa_bits = 2048,
                                                 .issuer_url = "http://ca.example/root.crt" });
        char *fingerprint = certificate_fingerprint(rsa.certificate);

        assert_text(certificate_subject(rsa.certificate), "CN=m\303\274ller\\, inc");
        assert_text(certificate_issuer(rsa.certificate), "CN=root");
        assert_text(certificate_key_type(rsa.certificate), "RSA 2048");
        assert_text(certificate_key_type(f->leaf.certificate), "EC P-256");
        assert_text(certificate_signature(f->leaf.certificate), "ecdsa-with-SHA256");
        assert_text(certificate_issuer_url(rsa.certificate), "http://ca.example/root.crt");
        assert_null(certificate_issuer_url(f->leaf.certificate));
        assert_null(certificate_names(rsa.certificate));
        assert_int_equal(strlen(fingerprint), 32 * 3 - 1);
        assert_int_equal(fingerprint[2], ':');
        free(fingerprint);
        assert_true(certificate_is_self_signed(f->root.certificate));
        assert_false(certificate_is_self_signed(f->leaf.certificate));
}

/* To be freed. */
static char *pem_of(const Made *made, const EVP_CIPHER *cipher, size_t *ret_size)
{
        char *text = NULL;
        FILE *out = open_memstream(&text, ret_size);

        assert_non_null(out);
        assert_int_equal(PEM_write_X509(out, made->certificate), 1);
        assert_int_equal(PEM_write_PKCS8PrivateKey(out, made->key, cipher, "secret", 6, NULL, NULL),
                         1);
        assert_int_equal(fclose(out), 0);
        return text;
}

static void assert_read(const char *text, size_t size, PemResult certificate, PemResult key)
{
        _cleanup_close_ int fd = memfd_create("pem", MFD_CLOEXEC);
        STACK_OF(X509) *certificates = NULL;
        EVP_PKEY *found = NULL;
        char path[64];

        assert_int_equal(write(fd, text, size), size);
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        assert_int_equal(certificates_read(path, &certificates), certificate);
        assert_int_equal(certificates != NULL, certificate == PEM_TAKEN);
        assert_int_equal(key_read(path, &found), key);
        assert_int_equal(found != NULL, key == PEM_TAKEN);
        certificates_free(certificates);
        EVP_PKEY_free(found);
}

static EVP_PKEY *make_dsa_key(void)
{
        EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "DSA", NULL), *of_key;
        EVP_PKEY *parameters = NULL, *key = NULL;

        assert_int_equal(EVP_PKEY_paramgen_init(context), 1);
        assert_int_equal(EVP_PKEY_CTX_set_dsa_paramgen_bits(context, 1024), 1);
        assert_int_equal(EVP_PKEY_paramgen(context, &parameters), 1);
        of_key = EVP_PKEY_CTX_new_from_pkey(NULL, parameters, NULL);
        assert_int_equal(EVP_PKEY_keygen_init(of_key), 1);
        assert_int_equal(EVP_PKEY_keygen(of_key, &key), 1);
        EVP_PKEY_CTX_free(of_key);
        EVP_PKEY_free(parameters);
        EVP_PKEY_CTX_free(context);
        return key;
}

/* It may take months to read one, whatever the name of the block, and whatever precedes it. */
static void test_read_no_dsa_key(void **state)
{
        const Family *f = *state;
        const Made made = { f->leaf.certificate, make_dsa_key() };
        size_t size, good_size;
        _cleanup_free_ char *text = pem_of(&made, NULL, &size);
        _cleanup_free_ char *good = pem_of(&f->leaf, NULL, &good_size);
        _cleanup_free_ char *both = calloc(1, good_size + size + 1);

        assert_read(text, size, PEM_TAKEN, PEM_BROKEN);
        memcpy(mempcpy(both, good, good_size), text, size);
        assert_read(both, good_size + size, PEM_TAKEN, PEM_BROKEN);
        for (char *name = text; (name = strstr(name, "PRIVATE KEY-----")); name++)
                memcpy(name, "ANOTHER KEY", 11);
        assert_read(text, size, PEM_TAKEN, PEM_NOTHING);
        EVP_PKEY_free(made.key);
}

static void test_read(void **state)
{
        const Family *f = *state;
        size_t size, locked_size;
        _cleanup_free_ char *text = pem_of(&f->leaf, NULL, &size);
        _cleanup_free_ char *locked = pem_of(&f->leaf, EVP_aes_256_cbc(), &locked_size);
        const char *end = strstr(text, "-----END CERTIFICATE");

        assert_read(text, size, PEM_TAKEN, PEM_TAKEN);
        assert_read(locked, locked_size, PEM_TAKEN, PEM_ENCRYPTED);
        assert_read("", 0, PEM_NOTHING, PEM_NOTHING);
        assert_read(S("hello\n"), PEM_NOTHING, PEM_NOTHING);
        assert_read(S("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
                    PEM_NOTHING, PEM_BROKEN);
        assert_read(S("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), PEM_BROKEN,
                    PEM_NOTHING);
        /* Cut off within, the first is still no certificate. */
        assert_read(text, (size_t)(end - text) - 10, PEM_BROKEN, PEM_NOTHING);
        {
                STACK_OF(X509) *certificates = NULL;
                EVP_PKEY *key = NULL;

                assert_int_equal(certificates_read("/none", &certificates), -ENOENT);
                assert_int_equal(key_read("/dev/zero", &key), -EINVAL);
        }
}

/* The folder of this test has one user, who is we. */
struct passwd *getpwnam(const char *name)
{
        static struct passwd pw;

        pw = (struct passwd){ .pw_uid = geteuid(), .pw_gid = getegid() };
        return strcmp(name, "alice") == 0 ? &pw : NULL;
}

static EVP_PKEY *read_key(const char *folder)
{
        _cleanup_free_ char *path = name_path(NAME_PRIVATE_KEY, folder, "alice");
        EVP_PKEY *key;
        struct stat st;

        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0400);
        assert_int_equal(key_read(path, &key), PEM_TAKEN);
        return key;
}

static STACK_OF(X509) * read_certificates(const char *folder)
{
        _cleanup_free_ char *path = name_path(NAME_CERTIFICATE, folder, "alice");
        STACK_OF(X509) * certificates;

        assert_int_equal(certificates_read(path, &certificates), PEM_TAKEN);
        return certificates;
}

static void test_self_signed(void **state)
{
        char *names[] = { (char *)"a.example", (char *)"*.shop.example" };
        char *addresses[] = { (char *)"192.0.2.7:443", (char *)"[2001:db8::7]:443" };
        const Hosts hosts = { names, 2, addresses, 2 }, none = { .n_hosts = 0 };
        char folder[] = "/tmp/bellhop-unit-XXXXXX", command[128];
        _cleanup_free_ char *listed = NULL;
        STACK_OF(X509) * certificates;
        EVP_PKEY *key, *other;
        X509 *leaf;

        (void)state;
        assert_non_null(mkdtemp(folder));
        assert_int_equal(self_signed_make(folder, "bob", NULL, &hosts, ACME_KEY_EC, false),
                         TLS_FILES_NO_USER);
        assert_int_equal(self_signed_make(folder, "alice", NULL, &none, ACME_KEY_EC, false),
                         TLS_FILES_NO_NAME);
        assert_int_equal(self_signed_make(folder, "alice", NULL, &hosts, ACME_KEY_EC, false),
                         TLS_FILES_PUT);
        key = read_key(folder);
        certificates = read_certificates(folder);
        leaf = sk_X509_value(certificates, 0);
        assert_int_equal(X509_check_private_key(leaf, key), 1);
        assert_true(certificate_covers(leaf, "a.example"));
        assert_true(certificate_covers(leaf, "*.shop.example"));
        assert_int_equal(certificate_validity(leaf, time(NULL)), VALIDITY_GOOD);
        assert_null(certificate_weakness(leaf));
        listed = certificate_names(leaf);
        assert_string_equal(listed, "a.example\n*.shop.example\n192.0.2.7\n2001:db8::7");

        assert_int_equal(self_signed_make(folder, "alice", NULL, &hosts, ACME_KEY_EC, false),
                         TLS_FILES_EXIST);
        other = read_key(folder);
        assert_int_equal(EVP_PKEY_eq(key, other), 1);
        EVP_PKEY_free(other);
        assert_int_equal(self_signed_make(folder, "alice", NULL, &hosts, ACME_KEY_EC, true),
                         TLS_FILES_PUT);
        other = read_key(folder);
        assert_int_not_equal(EVP_PKEY_eq(key, other), 1);

        certificates_free(certificates);
        EVP_PKEY_free(other);
        EVP_PKEY_free(key);
        snprintf(command, sizeof(command), "rm -r %s", folder);
        assert_int_equal(system(command), 0);
}

static void test_request(void **state)
{
        const Family *f = *state;
        char long_name[71];
        char *names[] = { long_name, (char *)"*.shop.example" };
        char *addresses[] = { (char *)"192.0.2.7:443" };
        const Hosts hosts = { names, 2, addresses, 1 };
        _cleanup_made_ Made other = { .key = EVP_PKEY_Q_keygen(NULL, NULL, "ED448") };
        EVP_PKEY *keys[] = { f->leaf.key, other.key };

        (void)snprintf(long_name, sizeof(long_name), "%062d.example", 0);
        for (size_t i = 0; i < ELEMENTSOF(keys); i++) {
                _cleanup_free_ char *text = NULL;
                const int made = request_make(-EBADF, keys[i], &hosts, &text);
                BIO *bio = BIO_new_mem_buf(text, -1);
                X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
                STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
                GENERAL_NAMES *found = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);

                assert_int_equal(made, 0);
                assert_int_equal(X509_REQ_verify(request, keys[i]), 1);
                /* It has no room for such a name. */
                assert_int_equal(X509_NAME_entry_count(X509_REQ_get_subject_name(request)), 0);
                assert_int_equal(sk_GENERAL_NAME_num(found), 2);
                for (int j = 0; j < 2; j++) {
                        int type;
                        const ASN1_STRING *name =
                                GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(found, j), &type);

                        assert_int_equal(type, GEN_DNS);
                        assert_string_equal(ASN1_STRING_get0_data(name), names[j]);
                }
                GENERAL_NAMES_free(found);
                sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
                X509_REQ_free(request);
                BIO_free(bio);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_chain),
                cmocka_unit_test(test_chain_in_wrong_order),
                cmocka_unit_test(test_chain_with_a_stranger),
                cmocka_unit_test(test_chain_incomplete),
                cmocka_unit_test(test_chain_without_end),
                cmocka_unit_test(test_validity),
                cmocka_unit_test(test_covers),
                cmocka_unit_test(test_names_of_any_size),
                cmocka_unit_test(test_weakness),
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_read),
                cmocka_unit_test(test_read_no_dsa_key),
                cmocka_unit_test(test_self_signed),
                cmocka_unit_test(test_request),
        };

        return cmocka_run_group_tests_name("ctl-certificate", tests, family_setup, family_teardown);
}
