/* SPDX-License-Identifier: MIT */
/*
 * The folder belongs to the customer, who may change anything in it at any time: it is opened once,
 * both files are written under new names in it, and then renamed. No link is followed, and owner
 * and mode are set by descriptor.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <pwd.h>
#include <sys/stat.h>

#include "config/names.h"
#include "ctl/ask/access.h"
#include "ctl/ask/certificate.h"
#include "ctl/change/files.h"
#include "ctl/change/tls-files.h"
#include "util/cleanup.h"
#include "util/text.h"

typedef enum TlsFile { TLS_KEY, TLS_CERTIFICATE, TLS_FILE_KINDS } TlsFile;

static const struct {
        const char *name, *unfinished;
} tls_files[TLS_FILE_KINDS] = {
        [TLS_KEY] = { "privkey.pem", ".privkey.pem.new" },
        [TLS_CERTIFICATE] = { "fullchain.pem", ".fullchain.pem.new" },
};

static bool tls_files_print(FILE *out, TlsFile what, const TlsPair *pair)
{
        bool good = true;

        if (what == TLS_KEY)
                return PEM_write_PKCS8PrivateKey(out, pair->key, NULL, NULL, 0, NULL, NULL) == 1;
        for (int i = 0; good && i < sk_X509_num(pair->chain); i++)
                good = PEM_write_X509(out, sk_X509_value(pair->chain, i)) == 1;
        return good;
}

/* Whatever the customer has put in the place of the new name goes, but for a folder with files. */
static int tls_files_clear(int folder, const char *name)
{
        if (unlinkat(folder, name, 0) == 0 || errno == ENOENT ||
            (errno == EISDIR && unlinkat(folder, name, AT_REMOVEDIR) == 0))
                return 0;
        return -errno;
}

static int tls_files_write(int folder, TlsFile what, uid_t uid, gid_t gid, const TlsPair *pair)
{
        const char *name = tls_files[what].unfinished;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_fclose_ FILE *out = NULL;
        int r = tls_files_clear(folder, name);

        if (r < 0)
                return r;
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        out = fd < 0 ? NULL : fdopen(fd, "w");
        if (!out)
                return -errno;
        fd = -EBADF;
        errno = EIO; /* OpenSSL's functions need not set it */
        if (!tls_files_print(out, what, pair) || fflush(out) != 0 ||
            fchmod(fileno(out), 0400) < 0 || fchown(fileno(out), uid, gid) < 0 ||
            fsync(fileno(out)) < 0)
                return -errno;
        return 0;
}

/* For folder_make(); userdata: the TlsPair. */
static int tls_files_fill(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata)
{
        const TlsPair *pair = userdata;
        const TlsFile first = pair->key ? TLS_KEY : TLS_CERTIFICATE;
        int r = 0;

        for (TlsFile i = first; r == 0 && i < TLS_FILE_KINDS; i++)
                r = tls_files_write(folder, i, uid, gid, pair);
        /* An instance that is started in between finds a pair that does not match, and not half a
         * file. */
        for (TlsFile i = first; r == 0 && i < TLS_FILE_KINDS; i++)
                if (renameat(folder, tls_files[i].unfinished, folder, tls_files[i].name) < 0)
                        r = -errno;
        if (r == 0 && fsync(folder) < 0)
                r = -errno;
        for (TlsFile i = first; r < 0 && i < TLS_FILE_KINDS; i++)
                (void)unlinkat(folder, tls_files[i].unfinished, 0);
        ERR_clear_error();
        return r;
}

static bool tls_files_exist(int folder)
{
        bool any = false;

        for (TlsFile i = 0; i < TLS_FILE_KINDS; i++)
                any = any || faccessat(folder, tls_files[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        return any;
}

/* The customer may put another folder in its place meanwhile, but only one of their own. */
static int tls_files_open_host(int folder, const char *host, uid_t uid, gid_t gid)
{
        char name[NAME_HOST_MAX];
        const bool is_new = mkdirat(folder, name_host_folder(host, name), 0700) == 0;
        _cleanup_close_ int fd = -EBADF;

        if (!is_new && errno != EEXIST)
                return -errno;
        fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || (is_new && (fchown(fd, uid, gid) < 0 || fchmod(fd, 0750) < 0)))
                return -errno;
        return take_fd(fd);
}

static int tls_files_put_in(int folder, const struct passwd *user, const TlsPair *pair,
                            bool replace)
{
        if (!replace && tls_files_exist(folder))
                return TLS_FILES_EXIST;
        return tls_files_fill(folder, user->pw_name, user->pw_uid, user->pw_gid, pair);
}

int tls_files_put(const char *config_dir, const char *instance, const char *host,
                  const TlsPair *pair, bool replace)
{
        _cleanup_free_ char *tls = text_format("%s/tls", config_dir);
        _cleanup_free_ char *path = name_path(NAME_TLS_DIR, config_dir, instance);
        _cleanup_close_ int folder = -EBADF;
        const struct passwd *user = getpwnam(instance);

        if (!user)
                return TLS_FILES_NO_USER;
        if (!tls || !path)
                return -ENOMEM;
        if (mkdir(tls, 0711) < 0 && errno != EEXIST)
                return -errno;
        folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (host) {
                _cleanup_close_ int own = -EBADF;

                if (folder < 0)
                        return errno == ENOENT ? TLS_FILES_NO_FOLDER : -errno;
                own = tls_files_open_host(folder, host, user->pw_uid, user->pw_gid);
                return own < 0 ? own : tls_files_put_in(own, user, pair, replace);
        }
        /* An empty folder would keep the instance from starting, so a new one is filled first. */
        if (folder < 0)
                return errno == ENOENT ? folder_make(tls, instance, user->pw_uid, user->pw_gid,
                                                     0750, tls_files_fill, pair)
                                       : -errno;
        return tls_files_put_in(folder, user, pair, replace);
}

static int tls_files_read_from(int folder, const char *host, EVP_PKEY **ret)
{
        char name[NAME_HOST_MAX];
        _cleanup_close_ int own = openat(folder, host ? name_host_folder(host, name) : ".",
                                         O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        return own < 0 ? -errno : key_read_own(own, tls_files[TLS_KEY].name, ret);
}

int tls_files_read_key(const char *config_dir, const char *instance, const char *host,
                       EVP_PKEY **ret)
{
        _cleanup_free_ char *path = name_path(NAME_TLS_DIR, config_dir, instance);
        _cleanup_close_ int folder =
                path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -ENOMEM;
        Identity customer, own;
        int r, restored;

        if (folder < 0)
                return path ? -errno : -ENOMEM;
        if (!identity_of(instance, &customer))
                return -ESRCH;
        r = access_begin_as(&customer, &own);
        if (r == 0)
                r = tls_files_read_from(folder, host, ret);
        restored = access_end_as(&own);
        return restored < 0 ? restored : r;
}
