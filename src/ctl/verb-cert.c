/* SPDX-License-Identifier: MIT */
/* bellhopctl cert: shows the certificate of an instance, or makes, requests or installs one. */
#include <openssl/pem.h>

#include "config/names.h"
#include "config/users.h"
#include "ctl/ask/access.h"
#include "ctl/ask/certificate.h"
#include "ctl/ask/stale.h"
#include "ctl/change/acme.h"
#include "ctl/change/change.h"
#include "ctl/change/self-signed.h"
#include "ctl/show/output.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

#define DAY_SECONDS 86400

typedef struct Shown {
        char path[PATH_MAX];
        char key_path[PATH_MAX];
        STACK_OF(X509) * certificates;
        const char *key_match; /* NULL: the key could not be read */
        int key_error;         /* why the key could not be read */
} Shown;

static char *cert_time(time_t time)
{
        char text[32];
        struct tm tm;

        (void)gmtime_r(&time, &tm);
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
        return strdup(text);
}

static char *cert_begin(X509 *certificate)
{
        return cert_time(certificate_not_before(certificate));
}

static char *cert_end(X509 *certificate)
{
        return cert_time(certificate_not_after(certificate));
}

/* The fields of a certificate, in the order in which text and JSON show them. */
static const struct {
        const char *heading, *key;
        int json_type;
        char *(*text)(X509 *certificate);
        bool of_issuers; /* the text also shows it for the issuers */
} cert_fields[] = {
        { "Subject", "subject", SCOLS_JSON_STRING, certificate_subject, true },
        { "Names", "names", SCOLS_JSON_ARRAY_STRING, certificate_names, false },
        { "Issuer", "issuer", SCOLS_JSON_STRING, certificate_issuer, true },
        { "Valid from", "not_before", SCOLS_JSON_STRING, cert_begin, true },
        { "Valid until", "not_after", SCOLS_JSON_STRING, cert_end, true },
        { "Key", "key", SCOLS_JSON_STRING, certificate_key_type, false },
        { "Signature", "signature", SCOLS_JSON_STRING, certificate_signature, false },
        { "Serial", "serial", SCOLS_JSON_STRING, certificate_serial, false },
        { "SHA-256", "sha256", SCOLS_JSON_STRING, certificate_fingerprint, false },
};

enum {
        CERT_SELF_SIGNED = ELEMENTSOF(cert_fields),
        CERT_PRIVATE_KEY,
        CERT_COLUMNS,
};

static void cert_read_key(Shown *shown)
{
        EVP_PKEY *key = NULL;
        const int r = key_read(shown->key_path, &key);

        if (r < 0)
                shown->key_error = r;
        else if (r == PEM_TAKEN)
                shown->key_match =
                        X509_check_private_key(sk_X509_value(shown->certificates, 0), key) == 1
                                ? "matches"
                                : "does not match";
        else
                shown->key_match = r == PEM_ENCRYPTED ? "encrypted" : "damaged";
        EVP_PKEY_free(key);
}

static CtlStatus cert_fail(const Ctl *ctl, const char *name, const char *host, const char *path,
                           int error)
{
        _cleanup_free_ char *file = name_path(NAME_INSTANCE_FILE, ctl->config_dir, name);

        if (error == -ENOENT && file && access(file, F_OK) < 0)
                output_error("There is no instance '%s'. 'bellhopctl list' shows all instances.",
                             name);
        else if (error == -ENOENT && host)
                output_error("%s has no certificate of its own (%s). 'bellhopctl cert %s' shows "
                             "that of the instance.",
                             host, path, name);
        else if (error == -ENOENT)
                output_error("%s has no certificate (%s). 'bellhopctl cert %s --self-signed' makes "
                             "one.",
                             name, path, name);
        else if (error == -EACCES)
                output_error("Only root and user %s can read %s. Use sudo.", name, path);
        else
                output_error(
                        "No certificates can be read from %s%s%s. 'bellhopctl check' shows more.",
                        path, error < 0 ? ": " : "", error < 0 ? strerror(-error) : "");
        return CTL_FAILED;
}

static int cert_print_json(const Output *output, const Shown *shown)
{
        Column columns[CERT_COLUMNS] = {
                [CERT_SELF_SIGNED] = { "", "self_signed", 0, SCOLS_JSON_BOOLEAN },
                [CERT_PRIVATE_KEY] = { "", "private_key", 0, SCOLS_JSON_STRING },
        };
        Table table;

        for (size_t i = 0; i < ELEMENTSOF(cert_fields); i++)
                columns[i] = (Column){ "", cert_fields[i].key, 0, cert_fields[i].json_type };
        table = table_new(output, "certificates", columns, CERT_COLUMNS);
        for (int i = 0; i < sk_X509_num(shown->certificates); i++) {
                X509 *certificate = sk_X509_value(shown->certificates, i);

                table_add(&table);
                for (size_t j = 0; j < ELEMENTSOF(cert_fields); j++) {
                        _cleanup_free_ char *text = cert_fields[j].text(certificate);

                        table_set(&table, j, text);
                }
                table_set_bool(&table, CERT_SELF_SIGNED, certificate_is_self_signed(certificate));
                table_set(&table, CERT_PRIVATE_KEY, i == 0 ? shown->key_match : NULL);
        }
        return table_print(&table);
}

static void cert_print_one(X509 *certificate, bool is_first)
{
        const time_t left = certificate_not_after(certificate) - time(NULL);
        char days[SHOWN_MAX];

        for (size_t i = 0; i < ELEMENTSOF(cert_fields); i++) {
                _cleanup_free_ char *text = NULL;

                if (!is_first && !cert_fields[i].of_issuers)
                        continue;
                text = cert_fields[i].text(certificate);
                for (char *at = text; at && *at; at++)
                        *at = *at == '\n' ? ' ' : *at;
                output_print("%12s: %s", cert_fields[i].heading, text ? text : "none");
                if (cert_fields[i].text == cert_end)
                        output_print(" (%s %s)",
                                     show_days((uint64_t)labs((long)(left / DAY_SECONDS)), days),
                                     left < 0 ? "ago" : "left");
                output_print("\n");
        }
}

static void cert_print_text(const Output *output, const Shown *shown, const char *name)
{
        output_paint(output, COLOR_STRONG, "%s", name);
        output_print(": %s\n", shown->path);
        cert_print_one(sk_X509_value(shown->certificates, 0), true);
        output_print("%12s: %s (%s)\n", "Private key", shown->key_path,
                     shown->key_match ? shown->key_match : strerror(-shown->key_error));
        for (int i = 1; i < sk_X509_num(shown->certificates); i++) {
                output_print("\n");
                cert_print_one(sk_X509_value(shown->certificates, i), false);
        }
}

/* Checks that the instance has this host or, if host is "*.SUFFIX", this wildcard. If host is NULL,
 * nothing is checked. */
static CtlStatus cert_check_host(const Ctl *ctl, const char *name, const char *host)
{
        Config *config = NULL;
        bool is_own = false;

        if (!host)
                return CTL_FINE;
        if (config_load_own(ctl->config_dir, name, &config) < 0)
                return output_no_memory();
        for (size_t i = 0; i < hostmap_size(config->map); i++) {
                const HostMapRoute route = hostmap_route(config->map, i);

                is_own = is_own || (!route.is_address && strcasecmp(route.what, host) == 0);
        }
        config_free(config);
        if (is_own)
                return CTL_FINE;
        output_error("%s is not a host of %s. 'bellhopctl status %s' shows its hosts.", host, name,
                     name);
        return CTL_FAILED;
}

static bool cert_find(const Ctl *ctl, const char *name, const char *host, Shown *shown)
{
        const char *dir = ctl->config_dir;

        return host ? name_host_path_fill(NAME_CERTIFICATE, dir, name, host, shown->path) &&
                               name_host_path_fill(NAME_PRIVATE_KEY, dir, name, host,
                                                   shown->key_path)
                    : name_path_fill(NAME_CERTIFICATE, dir, name, shown->path) &&
                               name_path_fill(NAME_PRIVATE_KEY, dir, name, shown->key_path);
}

/* Shows the certificate of a host. If host is NULL, shows that of the instance. */
static CtlStatus cert_show(const Ctl *ctl, const char *name, const char *host)
{
        Shown shown = { .key_error = 0 };
        CtlStatus status = CTL_FINE;
        Output output;
        int r = -ENAMETOOLONG;

        if (cert_check_host(ctl, name, host) != CTL_FINE)
                return CTL_FAILED;
        if (cert_find(ctl, name, host, &shown))
                r = certificates_read(shown.path, &shown.certificates);
        if (r != PEM_TAKEN)
                return cert_fail(ctl, name, host, shown.path, r);
        cert_read_key(&shown);
        output_start(ctl, &output);
        if (!ctl->json)
                cert_print_text(&output, &shown, host ? host : name);
        else if (cert_print_json(&output, &shown) < 0)
                status = output_no_memory();
        certificates_free(shown.certificates);
        return output_done(&output, status);
}

/* Warns if bellhop-acme will replace the certificate. */
static void cert_say_replaced(const Ctl *ctl, const char *name, const char *host)
{
        Instance instance;

        if (!ctl->no_legend && !ctl->json &&
            config_read_instance(ctl->config_dir, name, &instance) == 0 && instance.tls == TLS_ACME)
                output_print("%s has Tls=acme: bellhop-acme replaces this certificate %s, or at "
                             "the next try if browsers do not accept the certificate. To keep it, "
                             "run: bellhopctl set %s --tls=files\n",
                             name,
                             host ? "when the certificate of the instance expires later"
                                  : "when its renewal is due",
                             name);
}

/* Prints the result of self_signed_make() or tls_files_put(). If host is NULL, the certificate is
 * for the instance. */
static CtlStatus cert_say_made(const Ctl *ctl, const char *name, const char *host, int made)
{
        const char *dir = ctl->config_dir;
        char folder[NAME_HOST_MAX + 1] = "";

        if (host) {
                folder[0] = '/';
                (void)name_host_folder(host, folder + 1);
        }

        switch (made) {
        case TLS_FILES_PUT:
                if (!ctl->no_legend)
                        output_print("Made %s/tls/%s%s/{fullchain,privkey}.pem. To use the new "
                                     "certificate, run: systemctl try-restart bellhop@%s.service\n",
                                     dir, name, folder, name);
                cert_say_replaced(ctl, name, host);
                return CTL_FINE;
        case TLS_FILES_EXIST:
                output_error("%s already has a certificate or key in %s/tls/%s%s. Add --force to "
                             "replace it.",
                             name, dir, name, folder);
                break;
        case TLS_FILES_NO_FOLDER:
                output_error("%s has no certificate yet. First make or install the certificate of "
                             "the instance, without --host=.",
                             name);
                break;
        case TLS_FILES_NO_NAME:
                output_error("%s has no Host= or Address= for a certificate.", name);
                break;
        case TLS_FILES_NO_USER:
                output_error("There is no user %s. 'useradd --create-home %s' makes one.", name,
                             name);
                break;
        default:
                output_error("%s/tls/%s%s can't be written: %s.%s", dir, name, folder,
                             strerror(-made), geteuid() == 0 ? "" : " Use sudo.");
        }
        return CTL_FAILED;
}

/* --- a new certificate, and a request for one --- */

/* Returns the option --host= for a command in a message. The caller appends the host. */
static const char *cert_option(const char *host)
{
        return host ? " --host=" : "";
}

/* Prints an error unless result is PEM_TAKEN. result: the result of certificates_read() or
 * key_read(). */
static CtlStatus cert_check_result(const char *path, const char *what, int result)
{
        if (result == -EINVAL)
                output_error("%s is not a regular file.", path);
        else if (result < 0)
                output_error("%s: %s.", path, strerror(-result));
        else if (result == PEM_ENCRYPTED)
                output_error("%s: the key is encrypted. Remove the pass phrase with 'openssl "
                             "pkey', because nobody can type it when the instance starts.",
                             path);
        else if (result != PEM_TAKEN)
                output_error(result == PEM_NOTHING ? "%s: it contains no %s in PEM format."
                                                   : "%s: it contains a damaged %s.",
                             path, what);
        return result == PEM_TAKEN ? CTL_FINE : CTL_FAILED;
}

static CtlStatus cert_use_key(const Ctl *ctl, const char *name, const char *host, TlsUse *use,
                              const void *userdata, char **ret_text)
{
        Shown shown;
        const int r =
                cert_find(ctl, name, host, &shown)
                        ? tls_files_use_key(ctl->config_dir, name, host, use, userdata, ret_text)
                        : -ENAMETOOLONG;

        if (r == -ENOENT)
                output_error("%s has no private key (%s). 'bellhopctl cert %s%s%s --self-signed' "
                             "makes one.",
                             host ? host : name, shown.key_path, name, cert_option(host),
                             host ? host : "");
        else if (r == -ENOTSUP)
                output_error("OpenSSL can't sign with the key of %s. 'bellhopctl cert %s%s%s "
                             "--self-signed --force' makes a new key and certificate.",
                             host ? host : name, name, cert_option(host), host ? host : "");
        else if (r == -ETIMEDOUT || r == -ECHILD)
                output_error("%s: the process of user %s that reads this file %s. Run the command "
                             "again.",
                             shown.key_path, name, r == -ECHILD ? "was killed" : "did not answer");
        else if (r == -ELOOP || r == -ENOTDIR)
                output_error("%s is a symbolic link, or a folder in this path is one. Put the key "
                             "itself there, without links.",
                             shown.key_path);
        else if (r == -EPERM || (r == -EACCES && geteuid() != 0))
                output_error("Only root and user %s can read %s. Use sudo.", name, shown.key_path);
        else if (r == -EACCES)
                output_error("%s: user %s can't read it. 'bellhopctl check' shows more.",
                             shown.key_path, name);
        else
                return cert_check_result(shown.key_path, "private key", r);
        return CTL_FAILED;
}

static int cert_print_request_json(const Output *output, const Hosts *hosts, const char *text)
{
        static const Column columns[] = {
                { "", "names", 0, SCOLS_JSON_ARRAY_STRING },
                { "", "pem", 0, SCOLS_JSON_ARRAY_STRING }, /* the lines of the request */
        };
        Table table = table_new(output, "requests", columns, ELEMENTSOF(columns));
        _cleanup_free_ char *lines = strndup(text, strlen(text) - 1);

        table_add(&table);
        table_set_list(&table, 0, hosts->hosts, hosts->n_hosts);
        table_set(&table, 1, lines);
        table.failed = table.failed || !lines;
        return table_print(&table);
}

static CtlStatus cert_print_request(const Ctl *ctl, const Hosts *hosts, const char *text)
{
        CtlStatus status = CTL_FINE;
        Output output;

        output_start(ctl, &output);
        if (!ctl->json)
                output_print("%s", text);
        else if (cert_print_request_json(&output, hosts, text) < 0)
                status = output_no_memory();
        return output_done(&output, status);
}

static CtlStatus cert_request(const Ctl *ctl, const char *name, const char *host,
                              const Hosts *hosts)
{
        _cleanup_free_ char *text = NULL;

        if (hosts->n_hosts == 0) {
                output_error("%s has no Host= for a certificate.", name);
                return CTL_FAILED;
        }
        return cert_use_key(ctl, name, host, request_make, hosts, &text) == CTL_FINE
                       ? cert_print_request(ctl, hosts, text)
                       : CTL_FAILED;
}

/* Makes a certificate request or a self-signed certificate. If host is NULL, includes all hosts of
 * the instance. */
static CtlStatus cert_for_hosts(const Ctl *ctl, const char *name, const char *host,
                                const Hosts *all)
{
        char *names[] = { (char *)host };
        const Hosts one = { .hosts = names, .n_hosts = 1 }, *hosts = host ? &one : all;

        if (ctl->request)
                return cert_request(ctl, name, host, hosts);
        return cert_say_made(ctl, name, host,
                             self_signed_make(ctl->config_dir, name, host, hosts, ACME_KEY_EC,
                                              ctl->force));
}

static CtlStatus cert_make(const Ctl *ctl, const char *name, char *host)
{
        Config *config = NULL;
        Hosts *hosts = NULL;
        CtlStatus status;
        uint32_t instance;
        int r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);

        if (r < 0)
                return output_bad_configuration(ctl, r);
        instance = config_find_instance(config, name);
        hosts = hosts_new(config->map, config->n_instances);
        if (instance == ROUTE_NONE) {
                output_error("There is no instance %s, or its file has a mistake. 'bellhopctl "
                             "check' shows mistakes.",
                             name);
                status = CTL_FAILED;
        } else if (!hosts) {
                status = output_no_memory();
        } else {
                status = cert_check_host(ctl, name, host);
                if (status == CTL_FINE)
                        status = cert_for_hosts(ctl, name, host, &hosts[instance]);
        }
        hosts_free(hosts, config->n_instances);
        config_free(config);
        return status;
}

/* --- a certificate and key from files --- */

/* Checks that only root can change the path to a file. A customer who could change the path could
 * make root install another customer's files. */
static CtlStatus cert_check_source(const char *path)
{
        _cleanup_free_ char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
        _cleanup_free_ char *whole =
                text_format("%s%s%s", folder ? folder : "", folder ? "/" : "", path);
        Access access;
        int r = whole && whole[0] == '/' ? access_ask_roots(whole, &access) : -ENOMEM;

        if (r == 0 && access.error == 0)
                return CTL_FINE;
        if (r == 0 && access.error == -EPERM)
                output_error("%s: users other than root can change %s. Copy the file to a folder "
                             "that only root can change.",
                             path, access.obstacle);
        else
                output_error("%s: %s.", path, strerror(r < 0 ? -r : -access.error));
        return CTL_FAILED;
}

/* Checks that the key belongs to the certificate, and that OpenSSL accepts the certificate. files:
 * as in cert_install(). */
static CtlStatus cert_check_pair(const TlsPair *pair, const char *name, const char *host,
                                 char *files[])
{
        X509 *leaf = sk_X509_value(pair->chain, 0);
        const char *weakness = certificate_weakness(leaf);

        if (X509_check_private_key(leaf, pair->key) != 1 && files[1])
                output_error("The key in %s does not belong to the first certificate in %s.",
                             files[1], files[0]);
        else if (X509_check_private_key(leaf, pair->key) != 1)
                output_error("The key of %s does not belong to the first certificate in %s. Send "
                             "the authority the output of 'bellhopctl cert %s%s%s --request', or "
                             "install the key too: --install CERT KEY.",
                             host ? host : name, files[0], name, cert_option(host),
                             host ? host : "");
        else if (weakness)
                output_error("%s: %s. OpenSSL refuses such a certificate.", files[0], weakness);
        else
                return CTL_FINE;
        return CTL_FAILED;
}

static int cert_print_public_key(int folder, EVP_PKEY *key, const void *userdata, char **ret_text)
{
        size_t size;
        FILE *out = open_memstream(ret_text, &size);
        const bool good = out && PEM_write_PUBKEY(out, key) == 1;

        return out && fclose(out) == 0 && good ? 0 : -ENOMEM;
}

/* Reads the public part of the installed key. */
static CtlStatus cert_read_public_key(const Ctl *ctl, const char *name, const char *host,
                                      EVP_PKEY **ret)
{
        _cleanup_free_ char *text = NULL;
        BIO *bio = NULL;

        if (cert_use_key(ctl, name, host, cert_print_public_key, NULL, &text) != CTL_FINE)
                return CTL_FAILED;
        bio = text ? BIO_new_mem_buf(text, -1) : NULL;
        *ret = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
        BIO_free(bio);
        return *ret ? CTL_FINE : output_no_memory();
}

/* Reads the pair from the files. files: as in cert_install(). If files[1] is NULL, takes the public
 * part of the installed key. The caller frees the pair, even if the status is not CTL_FINE. */
static CtlStatus cert_read_pair(const Ctl *ctl, const char *name, const char *host, char *files[],
                                TlsPair *pair)
{
        CtlStatus status = CTL_FINE;

        for (size_t i = 0; status == CTL_FINE && i < 2 && files[i]; i++)
                status = cert_check_source(files[i]);
        if (status == CTL_FINE)
                status = cert_check_result(files[0], "certificate",
                                           certificates_read(files[0], &pair->chain));
        if (status == CTL_FINE && files[1])
                status = cert_check_result(files[1], "private key", key_read(files[1], &pair->key));
        else if (status == CTL_FINE)
                status = cert_read_public_key(ctl, name, host, &pair->key);
        return status == CTL_FINE ? cert_check_pair(pair, name, host, files) : status;
}

static CtlStatus cert_check_user(const char *name)
{
        const Users ask_by_name = { .n = 0 };
        const int verdict = users_check(&ask_by_name, name);

        if (verdict == USER_FITS)
                return CTL_FINE;
        if (verdict < 0)
                output_error("The users can't be read: %s.", strerror(-verdict));
        else if (verdict == USER_MISSING)
                output_error("There is no user %s. 'useradd --create-home %s' makes one.", name,
                             name);
        else
                output_error(
                        "User %s can't have an instance, because it is root or the router's user.",
                        name);
        return CTL_FAILED;
}

/* tls_files_put() calls this function to get the certificate and its key. Returns new references to
 * those that cert_install() has read. */
static int cert_share_pair(const void *userdata, TlsPair *ret)
{
        const TlsPair *pair = userdata;

        ret->chain = X509_chain_up_ref(pair->chain);
        if (pair->key && EVP_PKEY_up_ref(pair->key) == 1)
                ret->key = pair->key;
        return ret->chain ? 0 : -ENOMEM;
}

static CtlStatus cert_write_pair(Change *change, const char *name, const char *host,
                                 const TlsPair *pair)
{
        const char *dir = change->ctl->config_dir;
        int r;

        (void)change_step(change, "certificate", "install the certificate of %s",
                          host ? host : name);
        r = tls_files_put(dir, name, host, cert_share_pair, pair, true);
        if (r != TLS_FILES_PUT)
                return cert_say_made(change->ctl, name, host, r);
        if (change_renew_server(change->bus, dir, name)) {
                cert_say_replaced(change->ctl, name, host);
                return CTL_FINE;
        }
        output_error("The new certificate is in %s/tls/%s, but the instance does not use it yet. "
                     "Remove the cause of the error above, then run: bellhopctl apply",
                     dir, name);
        return CTL_FAILED;
}

static CtlStatus cert_check_covers(const TlsPair *pair, const char *host)
{
        if (!host || certificate_covers(sk_X509_value(pair->chain, 0), host))
                return CTL_FINE;
        output_error("The certificate does not name %s.", host);
        return CTL_FAILED;
}

/* Installs a certificate. files: the paths of the certificate and its key; or the path of the
 * certificate and NULL, if the certificate is for the installed key. */
static CtlStatus cert_install(const Ctl *ctl, const char *name, const char *host, char *files[])
{
        TlsPair pair = { .chain = NULL };
        Change change;
        CtlStatus status = change_begin(ctl, &change);

        if (status == CTL_FINE)
                status = cert_check_user(name);
        if (status == CTL_FINE)
                status = cert_check_host(ctl, name, host);
        if (status == CTL_FINE)
                status = cert_read_pair(ctl, name, host, files, &pair);
        if (status == CTL_FINE)
                status = cert_check_covers(&pair, host);
        if (status == CTL_FINE)
                status = cert_write_pair(&change, name, host,
                                         &(TlsPair){ .chain = pair.chain,
                                                     .key = files[1] ? pair.key : NULL });
        certificates_free(pair.chain);
        EVP_PKEY_free(pair.key);
        return change_done(&change, status);
}

/* --- from bellhop-acme --- */

static CtlStatus cert_check_acme(const Ctl *ctl, const char *name)
{
        _cleanup_free_ char *file = name_path(NAME_INSTANCE_FILE, ctl->config_dir, name);
        Instance instance;

        if (!file || config_read_instance(ctl->config_dir, name, &instance) < 0)
                return output_no_memory();
        if (access(file, F_OK) < 0)
                return cert_fail(ctl, name, NULL, file, -ENOENT);
        if (instance.tls == TLS_ACME && !instance.is_suspended)
                return CTL_FINE;
        output_error(instance.tls == TLS_ACME ? "bellhop-acme gets no certificate while %s is "
                                                "suspended. First run: bellhopctl resume %s"
                                              : "%s does not have Tls=acme. To change this, run: "
                                                "bellhopctl set %s --acme",
                     name, name);
        return CTL_FAILED;
}

/* Makes bellhop-acme get a new certificate now. For this, removes the file in which bellhop-acme
 * keeps the state of the certificate: without this file, bellhop-acme tries at once. */
static CtlStatus cert_renew(const Ctl *ctl, const char *name)
{
        const AcmeState nothing = { .tried = 0 };
        const uint64_t begin = (uint64_t)time(NULL);
        Change change;
        CtlStatus status = change_begin(ctl, &change);

        if (status == CTL_FINE)
                status = cert_check_acme(ctl, name);
        if (status == CTL_FINE &&
            (!acme_remove_state(&change, name) || !acme_read_files(&change, true, true)))
                status = CTL_FAILED;
        if (status == CTL_FINE && ctl->wait)
                status = acme_wait(&change, name, &nothing, begin, true);
        return change_done(&change, status);
}

CtlStatus verb_cert(const Ctl *ctl, char *arguments[])
{
        const char *name = arguments[0];
        _cleanup_free_ char *host =
                ctl->n_settings > 0 ? strdup(ctl->settings[ctl->n_settings - 1].value) : NULL;

        for (char *at = host; at && *at; at++)
                *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + 'a' - 'A') : *at;
        if (ctl->force && !ctl->self_signed) {
                output_error("--force can only be used with --self-signed.");
                return CTL_USAGE;
        }
        if (ctl->install + ctl->renew + ctl->request + ctl->self_signed > 1) {
                output_error("Use only one of --install, --renew, --request and --self-signed.");
                return CTL_USAGE;
        }
        if ((ctl->renew && host) || (ctl->wait && !ctl->renew)) {
                output_error(host ? "--host= can't be used with --renew."
                                  : "--wait can only be used with --renew.");
                return CTL_USAGE;
        }
        if (!instance_name_is_valid(name)) {
                output_error("'%s' is not a valid name of an instance.", name);
                return CTL_FAILED;
        }
        if (ctl->renew)
                return cert_renew(ctl, name);
        if (ctl->install)
                return cert_install(ctl, name, host, arguments + 1);
        return ctl->self_signed || ctl->request ? cert_make(ctl, name, host)
                                                : cert_show(ctl, name, host);
}
