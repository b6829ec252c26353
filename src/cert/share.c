/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <time.h>

#include "cert/share.h"
#include "config/names.h"
#include "ctl/ask/certificate.h"
#include "util/cleanup.h"

#define ENTRIES_MAX 10000 /* in the folder of the instance */

/* Whether this can be the name of a host's folder, or of a folder that "bellhopctl import" has
 * made. */
static bool share_is_name(const char *name)
{
        for (const char *c = name; *c; c++)
                if (!isalnum((unsigned char)*c) && !strchr("_-.", *c))
                        return false;
        return name[0] != '.';
}

/* Returns the host whose certificate is in the folder with this name. NULL: it is not a host of the
 * instance. */
static const char *share_host_of(const Share *share, const char *name)
{
        char folder[NAME_HOST_MAX];

        for (size_t i = 0; i < share->hosts->n_hosts; i++)
                if (strcmp(name_host_folder(share->hosts->hosts[i], folder), name) == 0)
                        return share->hosts->hosts[i];
        return NULL;
}

/* Whether the certificate of the instance must replace the present one in the folder with this
 * name. A copy covers all hosts of an earlier certificate, but only the host of its folder must
 * not lose its certificate. */
static bool share_is_better(const Share *share, const char *name, X509 *leaf, X509 *present,
                            bool is_copy)
{
        const char *host = share_host_of(share, name);

        if (certificate_validity(present, time(NULL)) == VALIDITY_OVER)
                return true;
        if (!certificate_is_self_signed(present) &&
            certificate_not_after(leaf) <= certificate_not_after(present))
                return false;
        if (is_copy)
                return !host || !certificate_covers(present, host) ||
                       certificate_covers(leaf, host);
        return certificate_covers_like(leaf, present, share->hosts, share->instance);
}

/* Returns 1 if the certificate was replaced, 0 if it stays, or a negative errno. */
static int share_with(const Share *share, const TlsPair *pair, const char *name, int folder)
{
        X509 *leaf = sk_X509_value(pair->chain, 0), *present;
        STACK_OF(X509) *chain = NULL;
        bool is_copy;
        int r = 0;

        /* Without both files, the server does not use the folder. The customer may be about to put
         * the second file there. */
        if (faccessat(folder, "privkey.pem", R_OK, 0) < 0 ||
            certificates_read_own(folder, "fullchain.pem", &chain) != PEM_TAKEN)
                return 0;
        present = sk_X509_value(chain, 0);
        /* A certificate that the customer has got for the same key looks like a copy, too. */
        is_copy = X509_check_private_key(present, pair->key) == 1;
        if (share_is_better(share, name, leaf, present, is_copy)) {
                const bool keeps = !is_copy || !certificate_covers_names(leaf, present);
                const TlsPair copy = { .chain = pair->chain, .key = keeps ? pair->key : NULL };

                r = tls_files_replace(folder, &copy);
                r = r < 0 ? r : 1;
        }
        certificates_free(chain);
        ERR_clear_error();
        return r;
}

static int share_with_all(const Share *share, const TlsPair *pair, DIR *dir, FILE *out)
{
        const struct dirent *entry;
        int r = 0;

        for (size_t n = 0; n < ENTRIES_MAX && (entry = readdir(dir)); n++) {
                _cleanup_close_ int folder = -EBADF;
                int shared;

                if (!share_is_name(entry->d_name))
                        continue;
                folder = openat(dirfd(dir), entry->d_name,
                                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                shared = folder < 0 ? 0 : share_with(share, pair, entry->d_name, folder);
                if (shared > 0)
                        fprintf(out, " %s", entry->d_name);
                else if (shared < 0)
                        r = shared;
        }
        return r;
}

static bool share_is_possible(const TlsPair *pair)
{
        X509 *leaf = sk_X509_value(pair->chain, 0);
        const Validity validity = certificate_validity(leaf, time(NULL));

        return !certificate_is_self_signed(leaf) && X509_check_private_key(leaf, pair->key) == 1 &&
               (validity == VALIDITY_GOOD || validity == VALIDITY_ENDS_SOON);
}

int share_pair(int folder, EVP_PKEY *key, const void *userdata, char **ret_text)
{
        TlsPair pair = { .key = key };
        int r = certificates_read_own(folder, "fullchain.pem", &pair.chain);
        int fd = r == PEM_TAKEN ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;
        DIR *dir = fd < 0 ? NULL : fdopendir(fd);
        size_t size = 0;
        FILE *out = dir ? open_memstream(ret_text, &size) : NULL;

        if (r == PEM_TAKEN && !out)
                r = -errno;
        else if (r == PEM_TAKEN && share_is_possible(&pair))
                r = share_with_all(userdata, &pair, dir, out);
        if (out && fclose(out) != 0)
                r = -ENOMEM;
        if (out && size == 0) {
                free(*ret_text);
                *ret_text = NULL;
        }
        if (dir)
                (void)closedir(dir);
        certificates_free(pair.chain);
        ERR_clear_error();
        return r;
}
