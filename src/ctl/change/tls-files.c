/* SPDX-License-Identifier: MIT */
/*
 * The folder of certificate and key belongs to the customer, who can change anything in it at any
 * time. So the folder is opened once, and a process with the customer's rights makes or uses the
 * key there. Both files are written under new names, and then renamed. No link is followed.
 */
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "config/names.h"
#include "ctl/ask/as-customer.h"
#include "ctl/ask/certificate.h"
#include "ctl/change/files.h"
#include "ctl/change/tls-files.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define KEPT_MAX       1000 /* previous versions of a pair */
#define NAME_KEPT_MAX  32
#define FILE_MAX_BYTES (1024U * 1024)

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

/* Removes anything that the customer has put at this name, except a folder with files. */
static int tls_files_clear(int folder, const char *name)
{
        if (unlinkat(folder, name, 0) == 0 || errno == ENOENT ||
            (errno == EISDIR && unlinkat(folder, name, AT_REMOVEDIR) == 0))
                return 0;
        return -errno;
}

static int tls_files_write(int folder, TlsFile what, const TlsPair *pair)
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
        errno = EIO; /* OpenSSL's functions may not set errno */
        if (!tls_files_print(out, what, pair) || fflush(out) != 0 ||
            fchmod(fileno(out), 0400) < 0 || fsync(fileno(out)) < 0)
                return -errno;
        return 0;
}

static int tls_files_write_pair(int folder, const TlsPair *pair)
{
        const TlsFile first = pair->key ? TLS_KEY : TLS_CERTIFICATE;
        int r = 0;

        for (TlsFile i = first; r == 0 && i < TLS_FILE_KINDS; i++)
                r = tls_files_write(folder, i, pair);
        /* An instance that starts between the two renames finds a pair that does not match, but no
         * incomplete file. */
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

static const char *tls_files_kept_name(TlsFile what, unsigned number,
                                       char ret[static NAME_KEPT_MAX])
{
        (void)snprintf(ret, NAME_KEPT_MAX, "%s~%u", tls_files[what].name, number);
        return ret;
}

static int tls_files_copy(int folder, const char *from, const char *to)
{
        _cleanup_free_ char *text = NULL;
        _cleanup_close_ int fd = -EBADF;
        size_t size;
        int r = file_read_at(folder, from, O_NOFOLLOW, FILE_MAX_BYTES, &text, &size);

        if (r < 0)
                return r;
        fd = openat(folder, to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
        r = fd < 0 ? -errno : 0;
        errno = EIO; /* for a write that was cut short */
        if (r == 0 && (write(fd, text, size) != (ssize_t)size || fsync(fd) < 0)) {
                r = -errno;
                (void)unlinkat(folder, to, 0);
        }
        explicit_bzero(text, size);
        return r;
}

/* Puts the kept files back. A file that can't be replaced is still the previous one. */
static void tls_files_restore(int folder, unsigned number)
{
        char name[NAME_KEPT_MAX];

        for (TlsFile i = 0; i < TLS_FILE_KINDS; i++) {
                (void)tls_files_kept_name(i, number, name);
                /* Does nothing if both names lead to the same file. */
                if (renameat(folder, name, folder, tls_files[i].name) == 0 || errno == EPERM)
                        (void)unlinkat(folder, name, 0);
        }
}

/* Gives each file in the folder a second name, which ends with a number. If this fails for one of
 * the files, no file gets one. */
static int tls_files_keep(int folder, unsigned number)
{
        char name[NAME_KEPT_MAX];
        int r = 0;

        for (TlsFile i = 0; r == 0 && i < TLS_FILE_KINDS; i++) {
                (void)tls_files_kept_name(i, number, name);
                if (linkat(folder, tls_files[i].name, folder, name, 0) < 0)
                        r = -errno;
                /* With fs.protected_hardlinks=1, the customer can't link to a file of root. */
                if (r == -EPERM)
                        r = tls_files_copy(folder, tls_files[i].name, name);
                while (r < 0 && i-- > 0)
                        (void)unlinkat(folder, tls_files_kept_name(i, number, name), 0);
        }
        return r;
}

int tls_files_replace(int folder, const TlsPair *pair)
{
        int r = pair->key ? -EEXIST : 0;
        unsigned number = 0;

        while (r == -EEXIST && number < KEPT_MAX)
                r = tls_files_keep(folder, ++number);
        if (r < 0)
                return r;
        r = tls_files_write_pair(folder, pair);
        if (r < 0 && number > 0)
                tls_files_restore(folder, number);
        return r;
}

static bool tls_files_exist(int folder)
{
        bool any = false;

        for (TlsFile i = 0; i < TLS_FILE_KINDS; i++)
                any = any || faccessat(folder, tls_files[i].name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        return any;
}

/* The task of the process that has the customer's rights. */
typedef struct TlsWork {
        Identity customer;
        int folder;
        const char *host; /* the host whose folder has the files; NULL: the instance's */
        TlsMake *make;
        TlsUse *use;
        const void *userdata;
        bool replace;
} TlsWork;

static int tls_files_open_host(const TlsWork *work, bool make, int flags)
{
        char name[NAME_HOST_MAX];
        int fd;

        if (work->host && make &&
            mkdirat(work->folder, name_host_folder(work->host, name), 0750) < 0 && errno != EEXIST)
                return -errno;
        fd = openat(work->folder, work->host ? name_host_folder(work->host, name) : ".",
                    flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

static int tls_files_work_put(const void *userdata, char **ret_text)
{
        const TlsWork *work = userdata;
        _cleanup_close_ int folder = tls_files_open_host(work, true, O_RDONLY);
        TlsPair pair = { .chain = NULL };
        int r;

        if (folder < 0)
                return folder;
        if (!work->replace && tls_files_exist(folder))
                return TLS_FILES_EXIST;
        r = work->make(work->userdata, &pair);
        if (r == 0)
                r = tls_files_write_pair(folder, &pair);
        certificates_free(pair.chain);
        EVP_PKEY_free(pair.key);
        return r;
}

/* Puts both files into a new folder; for the parameter fill of folder_make(). Root still owns the
 * new folder, so it is first given to the customer. */
static int tls_files_fill(int folder, const char *name, uid_t uid, gid_t gid, const void *userdata)
{
        TlsWork work = *(const TlsWork *)userdata;

        work.folder = folder;
        return fchown(folder, uid, gid) < 0
                       ? -errno
                       : as_customer_run(&work.customer, tls_files_work_put, &work, NULL);
}

int tls_files_put(const char *config_dir, const char *instance, const char *host, TlsMake *make,
                  const void *userdata, bool replace)
{
        _cleanup_free_ char *tls = text_format("%s/tls", config_dir);
        _cleanup_free_ char *path = name_path(NAME_TLS_DIR, config_dir, instance);
        _cleanup_close_ int folder = -EBADF;
        TlsWork work = { .host = host, .make = make, .userdata = userdata, .replace = replace };

        if (!identity_of(instance, &work.customer))
                return TLS_FILES_NO_USER;
        if (!tls || !path)
                return -ENOMEM;
        if (mkdir(tls, 0711) < 0 && errno != EEXIST)
                return -errno;
        folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (folder < 0 && (errno != ENOENT || host))
                return errno == ENOENT ? TLS_FILES_NO_FOLDER : -errno;
        /* With an empty folder, the instance would not start, so a new folder is filled before it
         * gets its name. */
        if (folder < 0)
                return folder_make(tls, instance, work.customer.uid, work.customer.gid, 0750,
                                   tls_files_fill, &work);
        work.folder = folder;
        return as_customer_run(&work.customer, tls_files_work_put, &work, NULL);
}

static int tls_files_work_use(const void *userdata, char **ret_text)
{
        const TlsWork *work = userdata;
        _cleanup_close_ int folder = tls_files_open_host(work, false, O_PATH);
        EVP_PKEY *key = NULL;
        int r = folder < 0 ? folder : key_read_own(folder, tls_files[TLS_KEY].name, &key);

        if (r == PEM_TAKEN)
                r = work->use(folder, key, work->userdata, ret_text);
        EVP_PKEY_free(key);
        return r;
}

int tls_files_use_key(const char *config_dir, const char *instance, const char *host, TlsUse *use,
                      const void *userdata, char **ret_text)
{
        _cleanup_free_ char *path = name_path(NAME_TLS_DIR, config_dir, instance);
        _cleanup_close_ int folder =
                path ? open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -ENOMEM;
        TlsWork work = { .folder = folder, .host = host, .use = use, .userdata = userdata };

        if (folder < 0)
                return path ? -errno : -ENOMEM;
        if (!identity_of(instance, &work.customer))
                return -ESRCH;
        return as_customer_run(&work.customer, tls_files_work_use, &work, ret_text);
}
