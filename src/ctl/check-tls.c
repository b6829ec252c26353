/* SPDX-License-Identifier: MIT */
/*
 * Owns what is asked of an instance's certificate and key: that its user can read them, that they
 * fit each other, the hosts and the time.
 */
#include <sys/stat.h>

#include "ctl/certificate.h"
#include "ctl/check.h"
#include "ctl/file.h"
#include "util/cleanup.h"

#define DAY_SECONDS 86400

typedef struct Pair {
        char certificate_path[PATH_MAX];
        char key_path[PATH_MAX];
        char *certificate_quoted;
        char *key_quoted;
        STACK_OF(X509) * certificates; /* NULL: could not be read */
        EVP_PKEY *key;                 /* NULL: same */
} Pair;

static void pair_done(Pair *pair)
{
        free(pair->certificate_quoted);
        free(pair->key_quoted);
        certificates_free(pair->certificates);
        EVP_PKEY_free(pair->key);
}

static Place place_of(const Site *site, const char *path)
{
        return (Place){ site->instance->name, path, 0 };
}

/* A certificate that nobody vouches for, which at least works. A server that runs sees new files,
 * but no new folder. */
static char *make_self_signed(const Check *check, const Site *site, bool replace)
{
        _cleanup_free_ char *config = shell_quote(check->ctl->config_dir);
        const bool usual = strcmp(check->ctl->config_dir, BELLHOP_CONFIG_DIR) == 0;

        if (!config)
                return NULL;
        return command("bellhopctl cert %s --self-signed%s%s%s && systemctl %s bellhop@%s.service",
                       site->instance->name, replace ? " --force" : "",
                       usual ? "" : " --config=", usual ? "" : config,
                       replace ? "try-reload-or-restart" : "try-restart", site->instance->name);
}

/* For those of an authority: what it must be asked for. */
static char *make_request(const Site *site, const Pair *pair)
{
        const Hosts *hosts = site->hosts;
        _cleanup_free_ char *names = NULL;
        size_t size;
        FILE *out = open_memstream(&names, &size);

        if (!out)
                return NULL;
        for (size_t i = 0; i < hosts->n_hosts; i++)
                fprintf(out, "%sDNS:%s", i > 0 ? "," : "", hosts->hosts[i]);
        if (fclose(out) != 0 || hosts->n_hosts == 0 || !pair->key_quoted)
                return NULL;
        return command("openssl req -new -key %s -subj /CN=%s -addext 'subjectAltName=%s'",
                       pair->key_quoted, hosts->hosts[0], names);
}

static char *make_new(const Check *check, const Site *site, const Pair *pair, X509 *leaf)
{
        return !leaf || certificate_is_self_signed(leaf) ? make_self_signed(check, site, true)
                                                         : make_request(site, pair);
}

/* Made by the sandbox, or mended by giving it to the user; what is elsewhere is copied. */
static char *make_readable(const Site *site, const char *path, const AccessQuestion *question)
{
        const char *user = site->instance->name;
        const size_t length = strlen(site->tls);
        _cleanup_free_ char *quoted = shell_quote(path),
                            *obstacle = shell_quote(question->obstacle);
        const bool own = strncmp(question->obstacle, site->tls, length) == 0 &&
                         (question->obstacle[length] == 0 || question->obstacle[length] == '/');

        if (!quoted || !obstacle)
                return NULL;
        if (!own)
                return command(
                        "install -o %s -g %u -m 0400 \"$(readlink -f %s)\" %s && " RELOAD_SITE,
                        user, (unsigned)site->user.gid, quoted, quoted, user);
        return command("chown %s: %s && chmod u+r%s %s && " RELOAD_SITE, user, obstacle,
                       S_ISDIR(question->stat.st_mode) ? "x" : "", obstacle, user);
}

static void add_unreadable(Check *check, const Site *site, const char *path,
                           const AccessQuestion *question)
{
        if (question->error == -ENOENT)
                finding_add(&check->findings, FINDING_CERTIFICATE_MISSING, place_of(site, path),
                            make_self_signed(check, site, true), "%s is not there",
                            question->obstacle);
        else if (question->error == -EACCES)
                finding_add(&check->findings, FINDING_CERTIFICATE_UNREADABLE, place_of(site, path),
                            make_readable(site, path, question),
                            "user %s can't read it: %s is closed to that user (owner uid %u, mode "
                            "%04o)",
                            site->instance->name, question->obstacle,
                            (unsigned)question->stat.st_uid, question->stat.st_mode & 07777);
        else
                finding_add(&check->findings, FINDING_CERTIFICATE_UNREADABLE, place_of(site, path),
                            make_self_signed(check, site, true), "%s: %s", question->obstacle,
                            strerror(-question->error));
}

static void check_exposure(Check *check, const Site *site, const Pair *pair, const struct stat *st)
{
        const bool group =
                (st->st_mode & S_IRWXG) && st->st_gid != site->user.gid && st->st_gid != 0;

        if (!(st->st_mode & S_IRWXO) && !group)
                return;
        finding_add(&check->findings, FINDING_KEY_EXPOSED, place_of(site, pair->key_path),
                    pair->key_quoted ? command("chmod 0400 %s", pair->key_quoted) : NULL,
                    "others than user %s may read the key (mode %04o)", site->instance->name,
                    st->st_mode & 07777);
}

static void read_certificates(Check *check, const Site *site, Pair *pair)
{
        _cleanup_free_ char *text = NULL;
        PemResult result = PEM_BROKEN;
        size_t size;

        if (file_read(pair->certificate_path, CERTIFICATE_FILE_MAX_BYTES, &text, &size) == 0)
                result = certificates_parse(text, size, &pair->certificates);
        if (result != PEM_TAKEN)
                finding_add(&check->findings, FINDING_CERTIFICATE_INVALID,
                            place_of(site, pair->certificate_path),
                            make_self_signed(check, site, true), "%s",
                            result == PEM_NOTHING ? "there is no certificate in it (PEM form)"
                                                  : "a certificate in it is damaged");
}

static void read_key(Check *check, const Site *site, Pair *pair)
{
        _cleanup_free_ char *text = NULL;
        PemResult result = PEM_BROKEN;
        size_t size;

        if (file_read(pair->key_path, CERTIFICATE_FILE_MAX_BYTES, &text, &size) == 0) {
                result = key_parse(text, size, &pair->key);
                explicit_bzero(text, size);
        }
        if (result == PEM_ENCRYPTED)
                finding_add(&check->findings, FINDING_KEY_ENCRYPTED, place_of(site, pair->key_path),
                            pair->key_quoted
                                    ? command("openssl pkey -in %s -out %s.new && cat %s.new > %s "
                                              "&& rm %s.new",
                                              pair->key_quoted, pair->key_quoted, pair->key_quoted,
                                              pair->key_quoted, pair->key_quoted)
                                    : NULL,
                            "the key is encrypted");
        else if (result != PEM_TAKEN)
                finding_add(&check->findings, FINDING_CERTIFICATE_INVALID,
                            place_of(site, pair->key_path), make_self_signed(check, site, true),
                            "%s",
                            result == PEM_NOTHING ? "there is no private key in it (PEM form)"
                                                  : "the private key in it is damaged");
}

/* False: there is nothing to judge. */
static bool read_pair(Check *check, Site *site, Pair *pair)
{
        AccessQuestion questions[2] = {
                { .path = pair->certificate_path, .mode = R_OK },
                { .path = pair->key_path, .mode = R_OK },
        };
        Replaced replaced;
        int r;

        replaced_init(check, &replaced);
        r = access_ask(&site->user, replaced.list, questions, ELEMENTSOF(questions));
        check->n_needs_root += r < 0;
        for (size_t i = 0; r == 0 && i < ELEMENTSOF(questions); i++) {
                const AccessQuestion *question = &questions[i];

                if (question->error == 0)
                        site_note_file(site, question->path, question->stat.st_mtime);
                /* What stands before both is told once. */
                else if (i == 0 || questions[0].error == 0 ||
                         strcmp(question->obstacle, questions[0].obstacle) != 0)
                        add_unreadable(check, site, question->path, question);
        }
        if (r == 0 && questions[0].error == 0)
                read_certificates(check, site, pair);
        if (r == 0 && questions[1].error == 0) {
                check_exposure(check, site, pair, &questions[1].stat);
                read_key(check, site, pair);
        }
        access_done(questions, ELEMENTSOF(questions));
        return pair->certificates;
}

/* awk writes the certificates in their order; the file stays the same one, with owner and mode. */
static char *make_order(const Site *site, const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *numbers = NULL;
        const char *file = pair->certificate_quoted;
        size_t size;
        FILE *out = open_memstream(&numbers, &size);

        if (!out)
                return NULL;
        for (int i = 0; i < chain->n; i++)
                fprintf(out, " %d", chain->order[i] + 1);
        if (fclose(out) != 0 || !file)
                return NULL;
        return command(
                "for i in%s; do awk -v i=$i '/-----BEGIN/ {n++} n == i' %s; done > %s.new && "
                "cat %s.new > %s && rm %s.new && " RELOAD_SITE,
                numbers, file, file, file, file, file, site->instance->name);
}

/* The issuer's certificate often lies beside it: chain.pem. To be freed; NULL: it does not. */
static char *find_issuer_file(const Site *site, X509 *subject)
{
        static const char *const names[] = { "chain.pem", "ca.pem", "intermediate.pem",
                                             "ca-bundle.crt", "chain.crt" };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *path = NULL, *text = NULL;
                STACK_OF(X509) *certificates = NULL;
                size_t size;
                bool issued = false;

                if (asprintf(&path, "%s/%s", site->tls, names[i]) < 0)
                        return NULL;
                if (file_read(path, CERTIFICATE_FILE_MAX_BYTES, &text, &size) < 0 ||
                    certificates_parse(text, size, &certificates) != PEM_TAKEN)
                        continue;
                for (int j = 0; j < sk_X509_num(certificates); j++)
                        issued |= certificate_is_issuer(sk_X509_value(certificates, j), subject);
                certificates_free(certificates);
                if (issued)
                        return take_ptr(path);
        }
        return NULL;
}

static char *make_whole(const Site *site, const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *path = find_issuer_file(site, chain->last);
        _cleanup_free_ char *url = certificate_issuer_url(chain->last);
        _cleanup_free_ char *quoted = NULL;

        if (!pair->certificate_quoted)
                return NULL;
        if (path)
                return command("cat %s >> %s && " RELOAD_SITE, path, pair->certificate_quoted,
                               site->instance->name);
        quoted = url ? shell_quote(url) : NULL;
        return quoted ? command("curl -sSf %s | openssl x509 >> %s && " RELOAD_SITE, quoted,
                                pair->certificate_quoted, site->instance->name)
                      : NULL;
}

static void check_chain(Check *check, const Site *site, const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *subject = certificate_subject(chain->last);
        _cleanup_free_ char *issuer = certificate_issuer(chain->last);
        const Place place = place_of(site, pair->certificate_path);

        if (!chain->in_order)
                finding_add(&check->findings, FINDING_CHAIN_ORDER, place,
                            make_order(site, pair, chain),
                            "the certificates in it are in the wrong order");
        switch (chain->state) {
        case CHAIN_TRUSTED:
                break;
        case CHAIN_SELF_SIGNED:
                finding_add(&check->findings, FINDING_SELF_SIGNED, place, NULL,
                            "the certificate is signed by itself");
                break;
        case CHAIN_UNTRUSTED:
                finding_add(&check->findings, FINDING_CHAIN_UNTRUSTED, place, NULL,
                            "its authority is none that this machine trusts: %s",
                            issuer ? issuer : "without name");
                break;
        case CHAIN_INCOMPLETE:
                finding_add(&check->findings, FINDING_CHAIN_INCOMPLETE, place,
                            make_whole(site, pair, chain),
                            "the certificate of the issuer (%s) of %s is missing",
                            issuer ? issuer : "without name", subject ? subject : "the last one");
                break;
        }
}

static void format_day(time_t time, char ret[static 32])
{
        struct tm tm;

        (void)gmtime_r(&time, &tm);
        (void)strftime(ret, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

/* Of each certificate in the chain, as one that is over spoils it. */
static void check_one(Check *check, const Site *site, const Pair *pair, const Chain *chain,
                      X509 *certificate)
{
        const bool is_leaf = certificate == chain->leaf;
        const char *weakness = certificate_weakness(certificate);
        const Place place = place_of(site, pair->certificate_path);
        _cleanup_free_ char *subject = certificate_subject(certificate);
        const char *name = subject && subject[0] ? subject : "without name";
        char day[32];

        switch (certificate_validity(certificate, check->now)) {
        case VALIDITY_GOOD:
                break;
        case VALIDITY_NOT_YET:
                format_day(certificate_not_before(certificate), day);
                finding_add(&check->findings, FINDING_CERTIFICATE_NOT_YET_VALID, place,
                            make_new(check, site, pair, chain->leaf),
                            "the certificate (%s) is not valid before %s", name, day);
                break;
        case VALIDITY_ENDS_SOON:
                format_day(certificate_not_after(certificate), day);
                /* An authority renews its own. */
                if (is_leaf)
                        finding_add(&check->findings, FINDING_CERTIFICATE_EXPIRES, place,
                                    make_new(check, site, pair, chain->leaf),
                                    "the certificate (%s) expires in %ld days, on %s", name,
                                    (long)((certificate_not_after(certificate) - check->now) /
                                           DAY_SECONDS),
                                    day);
                break;
        case VALIDITY_OVER:
                format_day(certificate_not_after(certificate), day);
                finding_add(&check->findings, FINDING_CERTIFICATE_EXPIRED, place,
                            make_new(check, site, pair, chain->leaf),
                            "the certificate (%s) has expired on %s", name, day);
                break;
        }
        if (weakness)
                finding_add(&check->findings, FINDING_CERTIFICATE_WEAK, place,
                            make_self_signed(check, site, true), "the certificate (%s): %s", name,
                            weakness);
}

static void check_hosts(Check *check, const Site *site, const Pair *pair, X509 *leaf)
{
        const Hosts *hosts = site->hosts;
        _cleanup_free_ char *missing = NULL;
        size_t size, n = 0;
        FILE *out;

        /* Snippets may have others for these. */
        if (site->sets_certificate)
                return;
        out = open_memstream(&missing, &size);
        for (size_t i = 0; out && i < hosts->n_hosts; i++)
                if (!certificate_covers(leaf, hosts->hosts[i]) && n++ < 10)
                        fprintf(out, "%s%s", n > 1 ? ", " : "", hosts->hosts[i]);
        if (!out || fclose(out) != 0 || n == 0)
                return;
        finding_add(&check->findings, FINDING_CERTIFICATE_LACKS_HOST,
                    place_of(site, pair->certificate_path), make_new(check, site, pair, leaf),
                    "the certificate does not name %s%s", missing, n > 10 ? " and others" : "");
}

static void judge_pair(Check *check, const Site *site, const Pair *pair)
{
        const Chain chain = chain_judge(pair->certificates, pair->key, check->store);

        if (pair->key && X509_check_private_key(chain.leaf, pair->key) != 1)
                finding_add(&check->findings, FINDING_KEY_MISMATCH, place_of(site, pair->key_path),
                            make_self_signed(check, site, true),
                            "the key is not that of the certificate in fullchain.pem");
        check_chain(check, site, pair, &chain);
        for (int i = 0; i < chain.n_linked; i++)
                check_one(check, site, pair, &chain,
                          sk_X509_value(pair->certificates, chain.order[i]));
        check_hosts(check, site, pair, chain.leaf);
}

void check_tls(Check *check, Site *site)
{
        const Instance *instance = site->instance;
        Pair pair = { .key = NULL };
        struct stat st;

        if (stat(site->tls, &st) < 0) {
                if (instance->http == HTTP_REDIRECT)
                        finding_add(&check->findings, FINDING_REDIRECT_WITHOUT_TLS,
                                    (Place){ instance->name, instance->file, 0 },
                                    make_self_signed(check, site, false),
                                    "Http=redirect, but there is no certificate in %s", site->tls);
                else
                        finding_add(&check->findings, FINDING_NO_TLS, place_of(site, site->tls),
                                    NULL, "there is no certificate");
                return;
        }
        if (snprintf(pair.certificate_path, PATH_MAX, "%s/fullchain.pem", site->tls) >= PATH_MAX ||
            snprintf(pair.key_path, PATH_MAX, "%s/privkey.pem", site->tls) >= PATH_MAX)
                return;
        pair.certificate_quoted = shell_quote(pair.certificate_path);
        pair.key_quoted = shell_quote(pair.key_path);
        if (read_pair(check, site, &pair))
                judge_pair(check, site, &pair);
        pair_done(&pair);
}
