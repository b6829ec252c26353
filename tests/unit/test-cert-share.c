/* SPDX-License-Identifier: MIT */
/* Which certificates of single hosts the instance's certificate replaces. */
#include "unit.h"

#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "cert/share.h"
#include "ctl/ask/as-customer.h"
#include "ctl/ask/certificate.h"

#define DAY     86400L
#define KEPT    "fullchain.pem~1"
#define WITH_IP "DNS:b.example,IP:192.0.2.7"

/* The folder of an instance with the hosts a.example, b.example and c.example. Its certificate
 * covers a.example and b.example for 90 days. */
typedef struct Machine {
        char path[32];
        int folder;
        EVP_PKEY *key, *authority;
        Instance instance;
        Hosts hosts;
} Machine;

static X509 *make(EVP_PKEY *key, EVP_PKEY *signer, const char *names, long days)
{
        X509 *certificate = X509_new();
        X509_NAME *name = X509_get_subject_name(certificate);
        X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

        assert_non_null(extension);
        X509_set_version(certificate, X509_VERSION_3);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -100 * DAY);
        X509_gmtime_adj(X509_getm_notAfter(certificate), days * DAY);
        X509_set_pubkey(certificate, key);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"x", -1, -1, 0);
        if (key != signer)
                name = X509_get_issuer_name(certificate);
        X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"y", -1, -1, 0);
        if (key == signer)
                X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
        assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
        X509_EXTENSION_free(extension);
        assert_true(X509_sign(certificate, signer, EVP_sha256()) > 0);
        return certificate;
}

static FILE *create(const Machine *m, const char *host, const char *file)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", m->path, host);
        (void)mkdir(path, 0700);
        snprintf(path, sizeof(path), "%s/%s/%s", m->path, host, file);
        (void)unlink(path);
        return fopen(path, "w");
}

/* Writes a pair for the names, which is signed by itself if is_self_signed. key: NULL for a new
 * one. */
static void put(const Machine *m, const char *host, EVP_PKEY *key, const char *names, long days,
                bool is_self_signed)
{
        EVP_PKEY *own = key ? key : EVP_EC_gen("P-256");
        X509 *certificate = make(own, is_self_signed ? own : m->authority, names, days);
        FILE *out = create(m, host, "fullchain.pem");

        assert_int_equal(PEM_write_X509(out, certificate), 1);
        fclose(out);
        out = create(m, host, "privkey.pem");
        assert_int_equal(PEM_write_PKCS8PrivateKey(out, own, NULL, NULL, 0, NULL, NULL), 1);
        fclose(out);
        X509_free(certificate);
        if (!key)
                EVP_PKEY_free(own);
}

static int setup(void **state)
{
        static char *hosts[] = { (char *)"a.example", (char *)"b.example", (char *)"c.example" };
        Machine *m = calloc(1, sizeof(*m));

        assert_non_null(m);
        strcpy(m->path, "/tmp/bellhop-unit-XXXXXX");
        assert_non_null(mkdtemp(m->path));
        m->folder = open(m->path, O_PATH | O_DIRECTORY);
        m->key = EVP_EC_gen("P-256");
        m->authority = EVP_EC_gen("P-256");
        m->hosts = (Hosts){ .hosts = hosts, .n_hosts = 3 };
        put(m, ".", m->key, "DNS:a.example,DNS:b.example", 90, false);
        *state = m;
        return 0;
}

static int teardown(void **state)
{
        Machine *m = *state;
        char command[64];

        close(m->folder);
        EVP_PKEY_free(m->key);
        EVP_PKEY_free(m->authority);
        snprintf(command, sizeof(command), "rm -r %s", m->path);
        assert_int_equal(system(command), 0);
        free(m);
        return 0;
}

/* Returns the folders whose certificates were replaced. */
static char *share(const Machine *m)
{
        const Share userdata = { .instance = &m->instance, .hosts = &m->hosts };
        const size_t n_fds = count_fds();
        char *text = NULL;

        assert_int_equal(share_pair(m->folder, m->key, &userdata, &text), 0);
        assert_int_equal(count_fds(), n_fds);
        return text;
}

static bool has(const Machine *m, const char *host, const char *file)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", host, file);
        return faccessat(m->folder, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whether the folder has the same file as the instance. */
static bool is_same(const Machine *m, const char *host, const char *file)
{
        char command[256];

        snprintf(command, sizeof(command), "cmp -s %s/%s %s/%s/%s", m->path, file, m->path, host,
                 file);
        return system(command) == 0;
}

static void test_which(void **state)
{
        static const struct {
                const char *names;
                long days;
                bool is_self_signed, is_default, is_replaced;
        } cases[] = {
                { "DNS:b.example", 30, false, false, true },
                { "DNS:b.example", 30, false, true, true },
                { "DNS:b.example", 365, false, false, false },
                { "DNS:b.example", 365, true, false, true },
                { "DNS:b.example,DNS:c.example", 30, false, false, false },
                { "DNS:b.example,DNS:c.example", 365, true, false, false },
                { "DNS:b.example,DNS:c.example", -1, false, false, true },
                /* Names that are not hosts of the instance */
                { "DNS:b.example,DNS:mail.b.example", 30, false, false, true },
                { "DNS:b.example,DNS:mail.b.example", 30, false, true, false },
                { WITH_IP, 30, false, false, true },
                { WITH_IP, 30, false, true, false },
        };
        Machine *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;
                char host[16], command[64];

                snprintf(host, sizeof(host), "%zu.example", i);
                m->instance.is_default = cases[i].is_default;
                put(m, host, NULL, cases[i].names, cases[i].days, cases[i].is_self_signed);
                text = share(m);
                assert_int_equal(text && strcmp(text + 1, host) == 0, cases[i].is_replaced);
                assert_int_equal(is_same(m, host, "fullchain.pem"), cases[i].is_replaced);
                assert_int_equal(is_same(m, host, "privkey.pem"), cases[i].is_replaced);
                assert_int_equal(has(m, host, KEPT), cases[i].is_replaced);
                assert_int_equal(has(m, host, "privkey.pem~1"), cases[i].is_replaced);
                /* The next case begins without this folder. */
                snprintf(command, sizeof(command), "rm -r %s/%s", m->path, host);
                assert_int_equal(system(command), 0);
        }
}

/* A wildcard of the instance leads to more hosts than its file names. */
static void test_wildcard(void **state)
{
        char *hosts[] = { (char *)"*.example" };
        Machine *m = *state;

        m->hosts = (Hosts){ .hosts = hosts, .n_hosts = 1 };
        put(m, "b.example", NULL, "DNS:b.example,DNS:d.example", 30, false);
        assert_null(share(m));
        put(m, "b.example", NULL, "DNS:b.example", 30, false);
        free(share(m));
        assert_true(is_same(m, "b.example", "privkey.pem"));
}

/* The next certificate of the instance replaces a copy, even if it covers fewer hosts, but not the
 * copy of a host that it does not cover. */
static void test_copy(void **state)
{
        static const char *const folders[] = { "a.example", "b.example" };
        Machine *m = *state;

        for (size_t i = 0; i < ELEMENTSOF(folders); i++)
                put(m, folders[i], NULL, "DNS:a.example", 30, false);
        free(share(m));
        put(m, ".", m->key, "DNS:a.example,DNS:b.example", 91, false);
        free(share(m));
        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                assert_true(is_same(m, folders[i], "fullchain.pem"));
                assert_false(has(m, folders[i], "fullchain.pem~2"));
        }
        assert_null(share(m));

        /* The authority refuses b.example. */
        put(m, ".", m->key, "DNS:a.example", 92, false);
        free(share(m));
        assert_true(is_same(m, "a.example", "fullchain.pem"));
        assert_false(is_same(m, "b.example", "fullchain.pem"));
        assert_null(share(m));

        /* The customer installs their own pair again. */
        put(m, "b.example", NULL, "DNS:a.example", 30, false);
        free(share(m));
        assert_true(has(m, "b.example", "fullchain.pem~2") && has(m, "b.example", "privkey.pem~2"));
}

/* Certificates that are not copies, but have the key of the instance. */
static void test_same_key(void **state)
{
        static const struct {
                const char *folder, *names;
                long days;
                bool is_replaced, is_kept;
        } cases[] = {
                { "b.example", "DNS:b.example", 30, true, false },
                { "b.example", "DNS:b.example,DNS:c.example", 30, true, true },
                { "b.example", "DNS:b.example,DNS:mail.b.example", 30, true, true },
                { "c.example", "DNS:c.example", 30, false, false },
                { "c.example", "DNS:b.example,DNS:c.example", 30, false, false },
                { "c.example", "DNS:c.example", -1, true, true },
                { "c.example", "DNS:b.example", 30, true, false },
                { "_.d.example", "DNS:*.d.example", 30, false, false },
                { "_.d.example", "DNS:*.d.example", -1, true, true },
        };
        char *hosts[] = { (char *)"a.example", (char *)"b.example", (char *)"c.example",
                          (char *)"*.d.example" };
        Machine *m = *state;

        m->hosts = (Hosts){ .hosts = hosts, .n_hosts = ELEMENTSOF(hosts) };
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *folder = cases[i].folder;
                char command[64];

                put(m, folder, m->key, cases[i].names, cases[i].days, false);
                free(share(m));
                assert_int_equal(is_same(m, folder, "fullchain.pem"), cases[i].is_replaced);
                assert_int_equal(has(m, folder, KEPT), cases[i].is_kept);
                assert_int_equal(has(m, folder, "privkey.pem~1"), cases[i].is_kept);
                snprintf(command, sizeof(command), "rm -r %s/%s", m->path, folder);
                assert_int_equal(system(command), 0);
        }
}

static int share_as_customer(const void *userdata, char **ret_text)
{
        const Machine *m = userdata;
        const Share share = { .instance = &m->instance, .hosts = &m->hosts };

        return share_pair(m->folder, m->key, &share, ret_text);
}

/* With fs.protected_hardlinks=1, a customer can't link to a file of root. */
static void test_files_of_root(void **state)
{
        static const struct {
                const char *command; /* in the folder of the host */
                int result;
                bool is_replaced;
        } cases[] = {
                { "chown root:65534 *; chmod 0640 *; chown 65534 .", 0, true },
                { "chown 65534 . privkey.pem; chown root:65534 f*; chmod 0640 f*", 0, true },
                { "chown root:65534 . *; chmod 0640 *; chmod 0750 .", -EACCES, false },
                /* The customer can make files there, but can't replace those of others. */
                { "chown root:65534 . *; chmod 0640 *; chmod 1770 .", -EPERM, false },
                { "chown root:65534 . f*; chown 65534 p*; chmod 0640 *; chmod 1770 .", -EPERM,
                  false },
        };
        const Identity customer = { .uid = 65534, .gid = 65534 };
        Machine *m = *state;

        if (geteuid() != 0)
                return;
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *text = NULL;
                char command[256];

                put(m, "b.example", NULL, "DNS:b.example", 30, false);
                snprintf(command, sizeof(command),
                         "cd %s && chown 65534 . *.pem && mkdir .old && cd b.example && cp *.pem "
                         "../.old && %s",
                         m->path, cases[i].command);
                assert_int_equal(system(command), 0);
                assert_int_equal(as_customer_run(&customer, share_as_customer, m, &text),
                                 cases[i].result);
                assert_int_equal(is_same(m, "b.example", "fullchain.pem"), cases[i].is_replaced);
                assert_int_equal(is_same(m, "b.example", "privkey.pem"), cases[i].is_replaced);
                snprintf(command, sizeof(command),
                         "cd %s/b.example && if [ -e %s ]; then end='~1'; fi && "
                         "cmp fullchain.pem$end ../.old/fullchain.pem && "
                         "cmp privkey.pem$end ../.old/privkey.pem && "
                         "[ $(ls -A | wc -l) = %d ] && cd .. && rm -r .old b.example",
                         m->path, KEPT, cases[i].is_replaced ? 4 : 2);
                assert_int_equal(system(command), 0);
        }
}

static void test_no_certificate_of_the_instance(void **state)
{
        Machine *m = *state;
        EVP_PKEY *other = EVP_EC_gen("P-256");

        put(m, "b.example", NULL, "DNS:b.example", 30, false);
        put(m, ".", m->key, "DNS:b.example", 90, true);
        assert_null(share(m));
        put(m, ".", m->key, "DNS:b.example", -1, false);
        assert_null(share(m));
        put(m, ".", other, "DNS:b.example", 90, false);
        assert_null(share(m));
        EVP_PKEY_free(other);
}

/* Only complete pairs count, in folders that can be those of hosts. No link is followed. */
static void test_what_is_not_a_pair(void **state)
{
        static const char *const left[] = { ".b.example", "b example", "b\nexample", "b~1" };
        Machine *m = *state;
        char path[64];

        for (size_t i = 0; i < ELEMENTSOF(left); i++)
                put(m, left[i], NULL, "DNS:b.example", 30, false);
        assert_int_equal(symlinkat(".b.example", m->folder, "link.example"), 0);
        put(m, "key.example", NULL, "DNS:b.example", 30, false);
        assert_int_equal(unlinkat(m->folder, "key.example/privkey.pem", 0), 0);
        put(m, "b.example", NULL, "DNS:b.example", 30, false);
        assert_int_equal(unlinkat(m->folder, "b.example/fullchain.pem", 0), 0);
        assert_int_equal(symlinkat("../.b.example/fullchain.pem", m->folder,
                                   "b.example/fullchain.pem"),
                         0);
        put(m, "fifo.example", NULL, "DNS:b.example", 30, false);
        assert_int_equal(unlinkat(m->folder, "fifo.example/fullchain.pem", 0), 0);
        snprintf(path, sizeof(path), "%s/fifo.example/fullchain.pem", m->path);
        assert_int_equal(mkfifo(path, 0600), 0);
        assert_null(share(m));
        assert_false(has(m, ".b.example", KEPT));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_which, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wildcard, setup, teardown),
                cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
                cmocka_unit_test_setup_teardown(test_same_key, setup, teardown),
                cmocka_unit_test_setup_teardown(test_files_of_root, setup, teardown),
                cmocka_unit_test_setup_teardown(test_no_certificate_of_the_instance, setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_is_not_a_pair, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
