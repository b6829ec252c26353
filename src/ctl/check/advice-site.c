/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>

#include "ctl/ask/file.h"
#include "ctl/check/advice-site.h"
#include "ctl/show/text.h"
#include "util/cleanup.h"

#define AS_CUSTOMER "runuser -u %s -- "

bool pair_init(Pair *pair, const Site *site)
{
        *pair = (Pair){ .key = NULL };
        return snprintf(pair->certificate_path, PATH_MAX, "%s/fullchain.pem", site->tls) <
                       PATH_MAX &&
               snprintf(pair->key_path, PATH_MAX, "%s/privkey.pem", site->tls) < PATH_MAX;
}

void pair_done(Pair *pair)
{
        certificates_free(pair->certificates);
        EVP_PKEY_free(pair->key);
}

/* The script writes the file in the folder anew. Whose the folder is, he may make any link of the
 * names in it. */
static char *rewrite(const Site *site, const char *folder, const char *file, const char *script)
{
        const char *name = site->instance->name;
        _cleanup_free_ char *quoted = script ? shell_quote(script) : NULL;
        _cleanup_free_ char *quoted_file = shell_quote(file);
        struct stat st;

        if (!quoted || !quoted_file || lstat(folder, &st) < 0)
                return NULL;
        if (st.st_uid == site->user.uid)
                return command(AS_CUSTOMER "sh -c %s && " RELOAD_SITE, name, quoted, name);
        return command("sh -c %s && chown -h %s: %s && " RELOAD_SITE, quoted, name, quoted_file,
                       name);
}

/* His own from now on, with these modes. The link itself, where it is one by then. */
static char *give(const Site *site, const char *path, const char *modes)
{
        const char *name = site->instance->name;
        _cleanup_free_ char *quoted = shell_quote(path);

        return quoted ? command("chown -h %s: %s && " AS_CUSTOMER "chmod %s %s && " RELOAD_SITE,
                                name, quoted, name, modes, quoted, name)
                      : NULL;
}

/* A server that runs sees new files, but no new folder. */
char *cure_self_signed(const Check *check, const Site *site, bool replace)
{
        _cleanup_free_ char *config = shell_quote(check->ctl->config_dir);
        const bool usual = strcmp(check->ctl->config_dir, BELLHOP_CONFIG_DIR) == 0;

        /* Where credentials are from, nothing is known but the files. */
        if (!config || site->has_credentials)
                return NULL;
        return command("bellhopctl cert %s --self-signed%s%s%s && systemctl %s bellhop@%s.service",
                       site->instance->name, replace ? " --force" : "",
                       usual ? "" : " --config=", usual ? "" : config,
                       replace ? "try-reload-or-restart" : "try-restart", site->instance->name);
}

char *cure_new_certificate(const Check *check, const Site *site, X509 *leaf)
{
        const Hosts *hosts = site->hosts;
        _cleanup_free_ char *names = NULL, *key = NULL;
        size_t size;
        FILE *out;

        if (!leaf || hosts->n_hosts == 0 || site->has_credentials ||
            certificate_is_self_signed(leaf))
                return cure_self_signed(check, site, true);
        out = open_memstream(&names, &size);
        if (!out)
                return NULL;
        for (size_t i = 0; i < hosts->n_hosts; i++)
                fprintf(out, "%sDNS:%s", i > 0 ? "," : "", hosts->hosts[i]);
        if (fclose(out) != 0)
                return NULL;
        key = shell_quote(site->tls);
        return key ? command("openssl req -new -key %s/privkey.pem -subj /CN=%s -addext "
                             "'subjectAltName=%s'",
                             key, hosts->hosts[0], names)
                   : NULL;
}

static bool is_within(const char *path, const char *folder)
{
        const size_t length = strlen(folder);

        return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/* Whether nobody but root decides what is there. */
static bool is_roots(const char *path)
{
        char part[PATH_MAX];
        struct stat st;

        (void)snprintf(part, sizeof(part), "%s", path);
        for (;;) {
                char *slash = strrchr(part, '/');

                if (lstat(part[0] ? part : "/", &st) < 0 || st.st_uid != 0 ||
                    (st.st_mode & (S_IWGRP | S_IWOTH)))
                        return false;
                if (!slash)
                        return true;
                *slash = 0;
        }
}

/* Where the link leads, if it is one; else the path itself. False: to nothing of root's. */
static bool follow_link(const char *path, char real[static PATH_MAX], bool *ret_is_link)
{
        struct stat st;

        if (lstat(path, &st) < 0 || !realpath(path, real))
                return false;
        *ret_is_link = S_ISLNK(st.st_mode);
        return !*ret_is_link || is_roots(real);
}

/* Whether the pair was made for this site: a link may lead to a neighbour's. */
static bool is_for_site(const Check *check, const Site *site, const char *certificate_path,
                        const char *key_path)
{
        _cleanup_free_ char *text = NULL, *key_text = NULL;
        STACK_OF(X509) *certificates = NULL;
        EVP_PKEY *key = NULL;
        size_t size, key_size;
        bool is = false;

        if (file_read(certificate_path, CERTIFICATE_FILE_MAX_BYTES, &text, &size) == 0 &&
            file_read(key_path, CERTIFICATE_FILE_MAX_BYTES, &key_text, &key_size) == 0 &&
            certificates_parse(text, size, &certificates) == PEM_TAKEN &&
            key_parse(key_text, key_size, &key) == PEM_TAKEN) {
                X509 *leaf = chain_judge(certificates, key, check->store).leaf;

                is = X509_check_private_key(leaf, key) == 1 && site->hosts->n_hosts > 0;
                for (size_t i = 0; is && i < site->hosts->n_hosts; i++)
                        is = certificate_covers(leaf, site->hosts->hosts[i]);
        }
        if (key_text)
                explicit_bzero(key_text, key_size);
        certificates_free(certificates);
        EVP_PKEY_free(key);
        return is;
}

/* Files in place of links to root's, as certbot has them; anything else becomes self-signed. */
static char *copy_pair(const Check *check, const Site *site)
{
        const char *name = site->instance->name;
        const unsigned gid = site->user.gid;
        char certificate[PATH_MAX], key[PATH_MAX];
        _cleanup_free_ char *from = NULL, *key_from = NULL, *tls = shell_quote(site->tls);
        bool link, key_link;
        Pair pair;

        if (!pair_init(&pair, site) || !follow_link(pair.certificate_path, certificate, &link) ||
            !follow_link(pair.key_path, key, &key_link) || !(link || key_link) ||
            !is_for_site(check, site, certificate, key))
                return cure_self_signed(check, site, true);
        from = shell_quote(certificate);
        key_from = shell_quote(key);
        if (!from || !key_from || !tls)
                return NULL;
        if (!key_link)
                return command("install -o %s -g %u -m 0400 %s %s/fullchain.pem && " RELOAD_SITE,
                               name, gid, from, tls, name);
        if (!link)
                return command("install -o %s -g %u -m 0400 %s %s/privkey.pem && " RELOAD_SITE,
                               name, gid, key_from, tls, name);
        return command("install -o %s -g %u -m 0400 %s %s/fullchain.pem && "
                       "install -o %s -g %u -m 0400 %s %s/privkey.pem && " RELOAD_SITE,
                       name, gid, from, tls, name, gid, key_from, tls, name);
}

char *cure_unreadable(const Check *check, const Site *site, const AccessQuestion *question)
{
        return is_within(question->obstacle, site->tls)
                       ? give(site, question->obstacle,
                              S_ISDIR(question->stat.st_mode) ? "u+rx" : "u+r")
                       : copy_pair(check, site);
}

char *cure_exposed_key(const Check *check, const Site *site, const Pair *pair)
{
        _cleanup_free_ char *quoted = NULL;
        struct stat st;

        if (site->has_credentials) {
                quoted = is_roots(pair->key_path) ? shell_quote(pair->key_path) : NULL;
                return quoted ? command("chmod 0400 %s", quoted) : NULL;
        }
        return lstat(pair->key_path, &st) == 0 && S_ISLNK(st.st_mode)
                       ? copy_pair(check, site)
                       : give(site, pair->key_path, "0400");
}

char *cure_encrypted_key(const Site *site, const Pair *pair)
{
        _cleanup_free_ char *file = shell_quote(pair->key_path), *script = NULL;

        if (site->has_credentials)
                return NULL;
        script = file ? command("umask 077 && openssl pkey -in %s -out %s.new && mv -f %s.new %s",
                                file, file, file, file)
                      : NULL;
        return rewrite(site, site->tls, pair->key_path, script);
}

char *cure_order(const Site *site, const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *numbers = NULL, *script = NULL;
        _cleanup_free_ char *file = shell_quote(pair->certificate_path);
        size_t size;
        FILE *out = open_memstream(&numbers, &size);

        if (!out)
                return NULL;
        for (int i = 0; i < chain->n; i++)
                fprintf(out, " %d", chain->order[i] + 1);
        if (fclose(out) != 0 || !file)
                return NULL;
        script =
                command("umask 077 && for i in%s; do awk -v i=$i \"/-----BEGIN/ {n++} n == i\" %s; "
                        "done > %s.new && mv -f %s.new %s",
                        numbers, file, file, file, file);
        return rewrite(site, site->tls, pair->certificate_path, script);
}

/* The issuer's certificate often lies beside it: chain.pem. NULL: it does not. */
static const char *find_issuer_file(const Site *site, X509 *subject)
{
        static const char *const names[] = { "chain.pem", "ca.pem", "intermediate.pem",
                                             "ca-bundle.crt", "chain.crt" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL, *text = NULL;
                STACK_OF(X509) *certificates = NULL;
                size_t size;
                bool issued = false;

                path = command("%s/%s", site->tls, names[i]);
                if (!path || file_read(path, CERTIFICATE_FILE_MAX_BYTES, &text, &size) < 0 ||
                    certificates_parse(text, size, &certificates) != PEM_TAKEN)
                        continue;
                for (int j = 0; j < sk_X509_num(certificates); j++)
                        issued |= certificate_is_issuer(sk_X509_value(certificates, j), subject);
                certificates_free(certificates);
                if (issued)
                        return names[i];
        }
        return NULL;
}

char *cure_incomplete(const Site *site, const Pair *pair, const Chain *chain)
{
        const char *found = find_issuer_file(site, chain->last);
        _cleanup_free_ char *file = shell_quote(pair->certificate_path);
        _cleanup_free_ char *tls = shell_quote(site->tls), *script = NULL;
        _cleanup_free_ char *url = certificate_issuer_url(chain->last), *from = NULL;

        if (!file || !tls || site->has_credentials)
                return NULL;
        if (found) {
                script = command("umask 077 && cat %s %s/%s > %s.new && mv -f %s.new %s", file, tls,
                                 found, file, file, file);
        } else if (url && strncmp(url, "http", 4) == 0) {
                from = shell_quote(url);
                script = from ? command("umask 077 && { cat %s; curl -sSf %s | openssl x509; } > "
                                        "%s.new && mv -f %s.new %s",
                                        file, from, file, file, file)
                              : NULL;
        }
        return rewrite(site, site->tls, pair->certificate_path, script);
}

char *cure_no_document_root(const Site *site)
{
        const char *name = site->instance->name;

        return command("install -d -o %s -g %u -m 0750 /srv/www/%s && systemctl try-restart "
                       "bellhop@%s.service",
                       name, (unsigned)site->user.gid, name, name);
}

char *cure_closed_document_root(const Site *site, const char *path, const AccessQuestion *question)
{
        const char *name = site->instance->name, *obstacle = question->obstacle;
        _cleanup_free_ char *quoted = shell_quote(obstacle);

        if (!quoted)
                return NULL;
        if (strcmp(obstacle, path) == 0 || question->stat.st_uid == site->user.uid)
                return command("chown -h %s: %s && " AS_CUSTOMER "chmod u+rx %s", name, quoted,
                               name, quoted);
        /* In the home, the way may be a link of the customer's, to what is closed for a reason. */
        return is_within(path, "/srv/www") ? command("chmod o+x %s", quoted) : NULL;
}

char *cure_open_document_root(const Site *site, const char *path)
{
        return is_within(path, "/srv/www")
                       ? command("chmod o-w %s", path)
                       : command(AS_CUSTOMER "chmod o-w %s", site->instance->name, path);
}

char *cure_closed_snippet(const Site *site, const char *path)
{
        _cleanup_free_ char *quoted = shell_quote(path);
        struct stat st;

        if (!quoted || lstat(path, &st) < 0)
                return NULL;
        return S_ISLNK(st.st_mode) ? command("mv %s %s.off && " RELOAD_SITE, quoted, quoted,
                                             site->instance->name)
                                   : give(site, path, "u+r");
}

char *cure_snippet_line(const Site *site, const char *path, unsigned line)
{
        _cleanup_free_ char *quoted = shell_quote(path), *script = NULL;

        script = quoted ? command("sed -i \"%us/^/#/\" %s", line, quoted) : NULL;
        return rewrite(site, site->snippets, path, script);
}
