/* SPDX-License-Identifier: MIT */
/*
 * The folder belongs to the customer, so nothing in it is trusted: it is opened once, and a file is
 * written under a new name in it, which is then renamed.
 */
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pwd.h>
#include <sys/stat.h>

#include "config/names.h"
#include "ctl/change/files.h"
#include "ctl/change/self-signed.h"
#include "util/cleanup.h"
#include "util/text.h"

#define DAYS            825 /* some clients refuse a longer life, whoever has signed */
#define SERIAL_BITS     127
#define COMMON_NAME_MAX 64 /* RFC 5280, ub-common-name */

#define CERTIFICATE_NAME "fullchain.pem"
#define KEY_NAME         "privkey.pem"

/* "DNS:a.example,IP:192.0.2.7", to be freed; NULL without memory. */
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
                address.port = 0; /* a certificate names none */
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

static bool self_signed_set_name(X509 *certificate, const char *name)
{
        X509_NAME *subject = X509_get_subject_name(certificate);

        /* One that is too long is left out: browsers look at the alternative names only. */
        return (strlen(name) > COMMON_NAME_MAX ||
                X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name,
                                           -1, -1, 0) == 1) &&
               X509_set_issuer_name(certificate, subject) == 1;
}

static bool self_signed_extend(X509 *certificate, const char *names)
{
        /* In the words of x509v3_config(5). */
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
        X509 *certificate = X509_new();

        if (names && certificate && X509_set_version(certificate, X509_VERSION_3) == 1 &&
            self_signed_set_serial(certificate) &&
            X509_gmtime_adj(X509_getm_notBefore(certificate), 0) &&
            X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) &&
            X509_set_pubkey(certificate, key) == 1 &&
            self_signed_set_name(certificate, hosts->n_hosts > 0 ? hosts->hosts[0] : "address") &&
            self_signed_extend(certificate, names) && X509_sign(certificate, key, EVP_sha256()) > 0)
                return certificate;
        X509_free(certificate);
        return NULL;
}

/* Writes the certificate, or the key if that is NULL. The file gets the name by which it is read
 * when it is whole and has its owner. */
static int self_signed_put(int folder, const char *name, uid_t uid, gid_t gid, X509 *certificate,
                           EVP_PKEY *key)
{
        _cleanup_close_ int fd = -EBADF;
        _cleanup_fclose_ FILE *file = NULL;
        char new_name[32];
        int r;

        (void)snprintf(new_name, sizeof(new_name), ".%s.new", name);
        if (unlinkat(folder, new_name, 0) < 0 && errno != ENOENT)
                return -errno;
        fd = openat(folder, new_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        file = fd < 0 ? NULL : fdopen(fd, "w");
        if (!file)
                return -errno;
        fd = -EBADF;
        errno = EIO; /* OpenSSL's functions need not set it */
        if (fchown(fileno(file), uid, gid) == 0 &&
            (certificate ? PEM_write_X509(file, certificate) == 1
                         : PEM_write_PKCS8PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1) &&
            fflush(file) == 0 && fsync(fileno(file)) == 0 &&
            renameat(folder, new_name, folder, name) == 0)
                return 0;
        r = -errno;
        (void)unlinkat(folder, new_name, 0);
        return r;
}

/* For folder_make(); userdata: the hosts. */
static int self_signed_fill(int folder, const char *name, uid_t uid, gid_t gid,
                            const void *userdata)
{
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = key ? self_signed_certificate(key, userdata) : NULL;
        int r = certificate ? 0 : -ENOMEM;

        /* An instance that is started in between finds a pair that does not match, and not half a
         * file. */
        if (r == 0)
                r = self_signed_put(folder, KEY_NAME, uid, gid, NULL, key);
        if (r == 0)
                r = self_signed_put(folder, CERTIFICATE_NAME, uid, gid, certificate, NULL);
        if (r == 0 && fsync(folder) < 0)
                r = -errno;
        X509_free(certificate);
        EVP_PKEY_free(key);
        ERR_clear_error();
        return r;
}

static bool self_signed_exists(int folder, const char *name)
{
        return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int self_signed_make(const char *config_dir, const char *instance, const Hosts *hosts, bool replace)
{
        _cleanup_free_ char *tls = text_format("%s/tls", config_dir);
        _cleanup_free_ char *path = name_path(NAME_TLS_DIR, config_dir, instance);
        _cleanup_close_ int folder = -EBADF;
        const struct passwd *user = getpwnam(instance);

        if (!user)
                return SELF_SIGNED_NO_USER;
        if (hosts->n_hosts == 0 && hosts->n_addresses == 0)
                return SELF_SIGNED_NO_NAME;
        if (!tls || !path)
                return -ENOMEM;
        if (mkdir(tls, 0711) < 0 && errno != EEXIST)
                return -errno;
        folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        /* An empty folder would keep the instance from starting, so a new one is filled first. */
        if (folder < 0)
                return errno == ENOENT ? folder_make(tls, instance, user->pw_uid, user->pw_gid,
                                                     0750, self_signed_fill, hosts)
                                       : -errno;
        if (!replace &&
            (self_signed_exists(folder, CERTIFICATE_NAME) || self_signed_exists(folder, KEY_NAME)))
                return SELF_SIGNED_EXISTS;
        return self_signed_fill(folder, instance, user->pw_uid, user->pw_gid, hosts);
}
