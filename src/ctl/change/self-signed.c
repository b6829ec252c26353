/* SPDX-License-Identifier: MIT */
/*
 * The folder belongs to the customer, so nothing in it is trusted: it is opened once, and files
 * come to be by a new name in it and a rename.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <sys/stat.h>

#include "ctl/change/self-signed.h"
#include "util/cleanup.h"

#define DAYS            825 /* some clients refuse those with a longer life, whoever has signed */
#define SERIAL_BYTES    16
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

#define CERTIFICATE_NAME "fullchain.pem"
#define KEY_NAME         "privkey.pem"

/* An extension in the words of x509v3_config(5). */
static bool add_extension(X509 *certificate, int nid, const char *value)
{
        X509V3_CTX context;
        X509_EXTENSION *extension;
        bool good;

        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_nconf_nid(NULL, &context, nid, value);
        good = extension && X509_add_ext(certificate, extension, -1) == 1;
        X509_EXTENSION_free(extension);
        return good;
}

/* The address of a route without its port. */
static void put_address(FILE *out, const char *separator, const char *text)
{
        char ip[ADDRESS_TEXT_MAX];
        Address address;

        if (!address_parse(span_from_string(text), &address))
                return;
        address.port = 0;
        address_format(&address, ip);
        fprintf(out, "%sIP:%s", separator, ip);
}

/* To be freed. */
static char *alternative_names(const Hosts *hosts)
{
        char *names = NULL;
        size_t size;
        FILE *out = open_memstream(&names, &size);

        if (!out)
                return NULL;
        for (size_t i = 0; i < hosts->n_hosts; i++)
                fprintf(out, "%sDNS:%s", i > 0 ? "," : "", hosts->hosts[i]);
        for (size_t i = 0; i < hosts->n_addresses; i++)
                put_address(out, hosts->n_hosts + i > 0 ? "," : "", hosts->addresses[i]);
        if (fclose(out) != 0) {
                free(names);
                return NULL;
        }
        return names;
}

static bool set_serial(X509 *certificate)
{
        unsigned char bytes[SERIAL_BYTES];
        BIGNUM *number = NULL;
        bool good;

        if (RAND_bytes(bytes, sizeof(bytes)) != 1)
                return false;
        bytes[0] &= 0x7f; /* positive */
        number = BN_bin2bn(bytes, sizeof(bytes), NULL);
        good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
        BN_free(number);
        return good;
}

static bool set_name(X509 *certificate, const char *name)
{
        X509_NAME *subject = X509_get_subject_name(certificate);

        /* Browsers look at the alternative names only. */
        if (strlen(name) <= COMMON_NAME_MAX &&
            X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                       -1, 0) != 1)
                return false;
        return X509_set_issuer_name(certificate, subject) == 1;
}

static X509 *make_certificate(EVP_PKEY *key, const Hosts *hosts)
{
        _cleanup_free_ char *names = alternative_names(hosts);
        X509 *certificate = X509_new();

        if (names && certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
            set_serial(certificate) && X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
            X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) &&
            X509_set_pubkey(certificate, key) == 1 &&
            set_name(certificate, hosts->n_hosts > 0 ? hosts->hosts[0] : "address") &&
            add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
            add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
            add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
            add_extension(certificate, NID_subject_alt_name, names) &&
            add_extension(certificate, NID_subject_key_identifier, "hash") &&
            X509_sign(certificate, key, EVP_sha256()) > 0)
                return certificate;
        X509_free(certificate);
        return NULL;
}

/* certificate NULL: the key is written. */
static int write_pem(int fd, X509 *certificate, EVP_PKEY *key)
{
        const int copy = dup(fd);
        FILE *file = copy < 0 ? NULL : fdopen(copy, "w");
        bool good;

        if (!file) {
                (void)close_fd(copy);
                return -errno;
        }
        good = certificate ? PEM_write_X509(file, certificate) == 1
                           : PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
        if (fclose(file) != 0)
                return -errno;
        return good && fsync(fd) == 0 ? 0 : -EIO;
}

/* Under a name that is new, whole and with its owner before it gets the one by which it is read. */
static int put_file(int folder, const char *name, const struct passwd *user, X509 *certificate,
                    EVP_PKEY *key)
{
        _cleanup_close_ int fd = -EBADF;
        char new_name[64];
        int r;

        (void)snprintf(new_name, sizeof(new_name), ".%s.new", name);
        if (unlinkat(folder, new_name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(folder, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        if (fd < 0)
                return -errno;
        r = fchown(fd, user->pw_uid, user->pw_gid) < 0 ? -errno : 0;
        if (r == 0)
                r = write_pem(fd, certificate, key);
        if (r == 0 && renameat(folder, new_name, folder, name) < 0)
                r = -errno;
        if (r < 0)
                (void)unlinkat(folder, new_name, 0);
        return r;
}

static bool has(int folder, const char *name)
{
        return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int make_pair(int folder, const struct passwd *user, const Hosts *hosts)
{
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = key ? make_certificate(key, hosts) : NULL;
        int r = certificate ? 0 : -ENOMEM;

        /* A server that is started in between finds a pair that does not match, and not half a
         * file. */
        if (r == 0)
                r = put_file(folder, KEY_NAME, user, NULL, key);
        if (r == 0)
                r = put_file(folder, CERTIFICATE_NAME, user, certificate, NULL);
        if (r == 0 && fsync(folder) < 0)
                r = -errno;
        X509_free(certificate);
        EVP_PKEY_free(key);
        ERR_clear_error();
        return r;
}

static int make_in_folder(int tls, const char *instance, const struct passwd *user,
                          const Hosts *hosts, bool replace)
{
        _cleanup_close_ int folder =
                openat(tls, instance, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (folder < 0)
                return -errno;
        if (!replace && (has(folder, CERTIFICATE_NAME) || has(folder, KEY_NAME)))
                return SELF_SIGNED_EXISTS;
        return make_pair(folder, user, hosts);
}

/* With a folder that has no certificate, the site would not start: so it gets its name when all is
 * in it. What a killed process has left is gone on with. */
static int make_folder(int tls, const char *instance, const struct passwd *user, const Hosts *hosts)
{
        _cleanup_close_ int folder = -EBADF;
        char unfinished[64];
        int r;

        (void)snprintf(unfinished, sizeof(unfinished), ".%s.new", instance);
        if (mkdirat(tls, unfinished, 0700) < 0 && errno != EEXIST)
                return -errno;
        folder = openat(tls, unfinished, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0)
                return -errno;
        r = make_pair(folder, user, hosts);
        if (r == 0 && (fchown(folder, user->pw_uid, user->pw_gid) < 0 || fchmod(folder, 0750) < 0 ||
                       renameat(tls, unfinished, tls, instance) < 0 || fsync(tls) < 0))
                r = -errno;
        return r;
}

int self_signed_make(const char *config_dir, const char *instance, const Hosts *hosts, bool replace)
{
        _cleanup_free_ char *path = NULL;
        _cleanup_close_ int tls = -EBADF;
        const struct passwd *user = getpwnam(instance);
        int r;

        if (!user)
                return SELF_SIGNED_NO_USER;
        if (hosts->n_hosts == 0 && hosts->n_addresses == 0)
                return SELF_SIGNED_NO_NAME;
        if (asprintf(&path, "%s/tls", config_dir) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        if (mkdir(path, 0711) < 0 && errno != EEXIST)
                return -errno;
        tls = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (tls < 0)
                return -errno;
        r = has(tls, instance) ? make_in_folder(tls, instance, user, hosts, replace)
                               : make_folder(tls, instance, user, hosts);
        return r == 0 ? SELF_SIGNED_MADE : r;
}
