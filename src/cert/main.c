/* SPDX-License-Identifier: MIT */
/*
 * bellhop-cert: answers questions of bellhop-acme about the keys of customers, which bellhop-acme
 * can't read. systemd starts it for each connection, and passes the connection as standard input
 * and output. A connection carries one question: a line "VERB NAME ...", followed by the new
 * certificates if the verb is "install". The answer begins with a line: "ok", "absent", or "error"
 * and the reason. If the verb returns text (see below), the text follows the line "ok".
 *
 *   show NAME      Returns a line of two words, and the present certificate. The first word is
 *                  "signed" or "self-signed". The second word is "matches" if the certificate is
 *                  for the customer's present key, and otherwise "differs".
 *   request NAME TYPE HOST...
 *                  Returns a certificate request, signed by the customer's key. If there is no key,
 *                  first makes one of that type.
 *   install NAME   Replaces the present certificates by the new ones, and makes the instance's
 *                  server read them. Then does the same as "share".
 *   share NAME [again]
 *                  Copies the present certificate and key into the folders of hosts that can use
 *                  them (share.h). If a certificate was replaced, or with "again", makes the
 *                  instance's server read the files.
 *
 * Certificates and keys are read and parsed in a process that runs as the customer.
 */
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <systemd/sd-bus.h>

#include "cert/share.h"
#include "config/names.h"
#include "ctl/ask/certificate.h"
#include "ctl/change/change.h"
#include "ctl/change/self-signed.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/options.h"
#include "util/text.h"

#define QUESTION_BYTES_MAX (1024U * 1024)
#define WORDS_MAX          128

static const char help[] =
        "Usage: bellhop-cert [OPTIONS...]\n\n"
        "Makes a request for a certificate with the key of a customer, or installs a\n"
        "certificate, for bellhop-acme. Started by bellhop-cert.socket for each connection.\n\n"
        "      --config=DIR  Configuration (default: " BELLHOP_CONFIG_DIR ")\n"
        "  -h, --help        Show this help\n"
        "      --version     Show the version\n\n"
        "See bellhop-acme(8).\n";

typedef struct Cert {
        const char *config_dir;
        const char *words[WORDS_MAX]; /* verb, name, ... */
        size_t n_words;
        const char *rest; /* the text after the first line */
        size_t rest_size;
        Instance instance;
        Hosts *hosts; /* hosts of this instance that no other instance has */
} Cert;

static int cert_answer(const char *word, const char *text)
{
        return printf("%s%s%s", word, text[0] ? "" : "\n", text) < 0 || fflush(stdout) != 0 ? -EIO
                                                                                            : 0;
}

/* Answers "absent" if r is -ENOENT, and otherwise "error". r: a negative errno, or a TlsFiles or a
 * PemResult other than 0. */
static int cert_fail(const char *what, int r)
{
        _cleanup_free_ char *text = NULL;

        if (r == -ENOENT)
                return cert_answer("absent", "");
        text = text_format(" %s: %s\n", what,
                           r == -ENOKEY ? "the installed private key belongs to another certificate"
                           : r == -ECHILD       ? "the process that reads the file was killed"
                           : r < 0              ? strerror(-r)
                           : r == PEM_ENCRYPTED ? "the key has a pass phrase"
                                                : "the file is damaged");
        return text ? cert_answer("error", text) : -ENOMEM;
}

/* --- in a process of the customer --- */

/* Called by tls_files_use_key(). *ret_text: a line that describes the present certificate, and then
 * this certificate in PEM. */
static int cert_show_present(int folder, EVP_PKEY *key, const void *userdata, char **ret_text)
{
        STACK_OF(X509) *chain = NULL;
        size_t size;
        FILE *out;
        X509 *leaf;
        int r = certificates_read_own(folder, "fullchain.pem", &chain);

        if (r != PEM_TAKEN)
                return r;
        leaf = sk_X509_value(chain, 0);
        out = open_memstream(ret_text, &size);
        if (out) {
                fprintf(out, "%s %s\n", certificate_is_self_signed(leaf) ? "self-signed" : "signed",
                        X509_check_private_key(leaf, key) == 1 ? "matches" : "differs");
                (void)PEM_write_X509(out, leaf);
        }
        ERR_clear_error();
        certificates_free(chain);
        return out && fclose(out) == 0 ? 0 : -ENOMEM;
}

/* Called by tls_files_use_key(). Checks that the new certificates are for the present key.
 * userdata: the Cert. */
static int cert_match(int folder, EVP_PKEY *key, const void *userdata, char **ret_text)
{
        const Cert *cert = userdata;
        STACK_OF(X509) *chain = NULL;
        int r = (int)certificates_parse(cert->rest, cert->rest_size, &chain);

        if (r == PEM_TAKEN && X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
                r = -ENOKEY;
        ERR_clear_error();
        certificates_free(chain);
        return r;
}

/* Called by tls_files_put() to get the new certificates. userdata: the Cert. */
static int cert_take_chain(const void *userdata, TlsPair *ret)
{
        const Cert *cert = userdata;

        return certificates_parse(cert->rest, cert->rest_size, &ret->chain) == PEM_TAKEN ? 0
                                                                                         : -EINVAL;
}

/* --- verbs --- */

static int cert_show(const Cert *cert)
{
        _cleanup_free_ char *text = NULL;
        const int r = tls_files_use_key(cert->config_dir, cert->words[1], NULL, cert_show_present,
                                        NULL, &text);

        return r == 0 && text ? cert_answer("ok\n", text) : cert_fail("the present certificate", r);
}

static bool cert_has_host(const Cert *cert, const char *host)
{
        for (size_t i = 0; i < cert->hosts->n_hosts; i++)
                if (strcmp(cert->hosts->hosts[i], host) == 0)
                        return true;
        return false;
}

static int cert_request(const Cert *cert)
{
        const Hosts wanted = { .hosts = (char **)cert->words + 3, .n_hosts = cert->n_words - 3 };
        const char *name = cert->words[1];
        _cleanup_free_ char *text = NULL;
        AcmeKeyType type = ACME_KEY_EC;
        int r;

        for (size_t i = 3; i < cert->n_words; i++)
                if (!cert_has_host(cert, cert->words[i]))
                        return cert_answer("error",
                                           " one of the hosts belongs to another instance\n");
        if (strcmp(cert->words[2], acme_key_type_names[ACME_KEY_RSA]) == 0)
                type = ACME_KEY_RSA;
        r = tls_files_use_key(cert->config_dir, name, NULL, request_make, &wanted, &text);
        if (r == -ENOENT) {
                r = self_signed_make(cert->config_dir, name, NULL, cert->hosts, type, true);
                if (r == TLS_FILES_PUT)
                        r = tls_files_use_key(cert->config_dir, name, NULL, request_make, &wanted,
                                              &text);
        }
        return r == 0 && text ? cert_answer("ok\n", text) : cert_fail("the private key", r);
}

/* Copies the present certificate to hosts that can use it. Returns whether it was copied, even if
 * it could not be copied to all of them. */
static bool cert_share_pair(const Cert *cert)
{
        const Share share = { .instance = &cert->instance, .hosts = cert->hosts };
        const char *name = cert->words[1];
        _cleanup_free_ char *folders = NULL;
        const int r = tls_files_use_key(cert->config_dir, name, NULL, share_pair, &share, &folders);

        text_make_harmless(folders, 0);
        if (folders)
                log_info("%s: the certificate of the instance has replaced those in the folders of "
                         "these hosts:%s",
                         name, folders);
        if (r < 0)
                log_warning_errno(r, "%s: can't replace the certificates of all hosts: %m", name);
        return folders;
}

static int cert_reload(const Cert *cert)
{
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0 && !change_renew_server(bus, cert->config_dir, cert->words[1]))
                r = -EIO;
        sd_bus_flush_close_unref(bus);
        return r >= 0 ? cert_answer("ok\n", "")
                      : cert_answer("error",
                                    " the certificate is installed, but its instance can't be "
                                    "reloaded; the journal says why, in a line of bellhop-cert\n");
}

static int cert_install(const Cert *cert)
{
        const char *name = cert->words[1];
        int r = tls_files_use_key(cert->config_dir, name, NULL, cert_match, cert, NULL);

        if (r == 0)
                r = tls_files_put(cert->config_dir, name, NULL, cert_take_chain, cert, true);
        if (r != 0)
                return cert_fail("the new certificate", r);
        (void)cert_share_pair(cert);
        return cert_reload(cert);
}

static int cert_share(const Cert *cert)
{
        return cert_share_pair(cert) || cert->n_words > 2 ? cert_reload(cert)
                                                          : cert_answer("ok\n", "");
}

static const struct {
        const char *name;
        size_t n_words_min;
        int (*run)(const Cert *cert);
} cert_verbs[] = {
        { "show", 2, cert_show },
        { "request", 4, cert_request },
        { "install", 2, cert_install },
        { "share", 2, cert_share },
};

/* --- the question --- */

/* Splits the question into words. Changes the text. The words of cert are parts of the text, so the
 * text must outlive cert. */
static bool cert_parse(Cert *cert, char *text, size_t size)
{
        char *end = memchr(text, '\n', size), *rest = NULL;

        if (!end)
                return false;
        *end = 0;
        cert->rest = end + 1;
        cert->rest_size = size - (size_t)(end + 1 - text);
        for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
                if (cert->n_words == WORDS_MAX)
                        return false;
                cert->words[cert->n_words++] = word;
        }
        return cert->n_words >= 2 && instance_name_is_valid(cert->words[1]);
}

/* Reads the instance and its hosts. Returns -ENOENT if the instance does not exist or does not have
 * Tls=acme. */
static int cert_load(Cert *cert)
{
        Config *config = NULL;
        int r = config_read_instance(cert->config_dir, cert->words[1], &cert->instance);

        if (r == 0)
                r = config_load_own(cert->config_dir, cert->words[1], &config);
        if (r == 0 && cert->instance.tls != TLS_ACME)
                r = -ENOENT;
        if (r == 0) {
                cert->hosts = hosts_new(config->map, config->n_instances);
                r = cert->hosts ? 0 : -ENOMEM;
        }
        config_free(config);
        return r;
}

static int cert_run(Cert *cert, char *text, size_t size)
{
        int r;

        if (!cert_parse(cert, text, size))
                return cert_answer("error", " the question from bellhop-acme is malformed\n");
        r = cert_load(cert);
        if (r == -ENOENT)
                return cert_answer("error", " the instance does not have Tls=acme\n");
        if (r < 0)
                return cert_fail("the file of the instance", r);
        for (size_t i = 0; i < ELEMENTSOF(cert_verbs); i++)
                if (strcmp(cert->words[0], cert_verbs[i].name) == 0 &&
                    cert->n_words >= cert_verbs[i].n_words_min)
                        return cert_verbs[i].run(cert);
        return cert_answer("error", " the question from bellhop-acme is malformed\n");
}

int main(int argc, char *argv[])
{
        Cert cert = { .config_dir = BELLHOP_CONFIG_DIR };
        const ProgramOption options[] = {
                { "config", required_argument, &cert.config_dir },
                { NULL, 0, NULL },
        };
        _cleanup_free_ char *text = malloc(QUESTION_BYTES_MAX);
        size_t size;
        int r = options_parse(argc, argv, 0, options, help);

        if (r != 0)
                return r < 0 ? EXIT_USAGE : EXIT_SUCCESS;
        log_open();
        size = text ? fread(text, 1, QUESTION_BYTES_MAX, stdin) : 0;
        r = text && !ferror(stdin) && size < QUESTION_BYTES_MAX ? cert_run(&cert, text, size)
                                                                : -EBADMSG;
        hosts_free(cert.hosts, 1);
        if (r < 0)
                log_error_errno(r, "can't answer bellhop-acme: %m");
        return log_end(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}
