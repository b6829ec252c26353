/* SPDX-License-Identifier: MIT */
/*
 * Owns what is asked of an instance's certificate and key: that its user can read them, that they
 * fit each other, the hosts and the time.
 */
#include <sys/stat.h>

#include "ctl/ask/file.h"
#include "ctl/check/advice-site.h"
#include "util/cleanup.h"

#define DAY_SECONDS 86400

static Place place_of(const Site *site, const char *path)
{
        return (Place){ site->instance->name, path, 0 };
}

static void add_unreadable(Check *check, const Site *site, const char *path,
                           const AccessQuestion *question)
{
        if (question->error == -ENOENT)
                finding_add(&check->findings, FINDING_CERTIFICATE_MISSING, place_of(site, path),
                            cure_self_signed(check, site, true), "%s is not there",
                            question->obstacle);
        else if (question->error == -EACCES)
                finding_add(&check->findings, FINDING_CERTIFICATE_UNREADABLE, place_of(site, path),
                            cure_unreadable(check, site, question),
                            "user %s can't read it: %s is closed to that user (owner uid %u, mode "
                            "%04o)",
                            site->instance->name, question->obstacle,
                            (unsigned)question->stat.st_uid, question->stat.st_mode & 07777);
        else
                finding_add(&check->findings, FINDING_CERTIFICATE_UNREADABLE, place_of(site, path),
                            cure_self_signed(check, site, true), "%s: %s", question->obstacle,
                            strerror(-question->error));
}

static void check_exposure(Check *check, const Site *site, const Pair *pair, const struct stat *st)
{
        const bool group =
                (st->st_mode & S_IRWXG) && st->st_gid != site->user.gid && st->st_gid != 0;

        if (!(st->st_mode & S_IRWXO) && !group)
                return;
        finding_add(&check->findings, FINDING_KEY_EXPOSED, place_of(site, pair->key_path),
                    cure_exposed_key(check, site, pair),
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
                            cure_self_signed(check, site, true), "%s",
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
                            cure_encrypted_key(site, pair), "the key is encrypted");
        else if (result != PEM_TAKEN)
                finding_add(&check->findings, FINDING_CERTIFICATE_INVALID,
                            place_of(site, pair->key_path), cure_self_signed(check, site, true),
                            "%s",
                            result == PEM_NOTHING ? "there is no private key in it (PEM form)"
                                                  : "the private key in it is damaged");
}

/* False: there is nothing to judge. */
static bool read_pair(Check *check, Site *site, Pair *pair)
{
        static const Identity root = { .uid = 0 };
        AccessQuestion questions[2] = {
                { .path = pair->certificate_path, .mode = R_OK },
                { .path = pair->key_path, .mode = R_OK },
        };
        const size_t n = pair->is_key_sealed ? 1 : 2;
        Replaced replaced;
        int r;

        replaced_init(check, &replaced);
        r = access_ask(site->has_credentials ? &root : &site->user, replaced.list, questions, n);
        check->n_needs_root += r < 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                const AccessQuestion *question = &questions[i];

                if (question->error == 0)
                        site_note_file(site, question->path, &question->stat);
                /* What stands before both is told once. */
                else if (i == 0 || questions[0].error == 0 ||
                         strcmp(question->obstacle, questions[0].obstacle) != 0)
                        add_unreadable(check, site, question->path, question);
        }
        if (r == 0 && questions[0].error == 0)
                read_certificates(check, site, pair);
        if (r == 0 && n > 1 && questions[1].error == 0) {
                check_exposure(check, site, pair, &questions[1].stat);
                read_key(check, site, pair);
        }
        access_done(questions, n);
        return pair->certificates;
}

typedef enum Source {
        SOURCE_FOLDER,
        SOURCE_CREDENTIALS, /* which take precedence */
        SOURCE_CLOSED,      /* credentials that nobody but systemd can read */
} Source;

static Source find_credentials(const Check *check, const Site *site, Pair *pair)
{
        _cleanup_free_ char *certificate = NULL, *key = NULL;
        char unit[NAME_UNIT_MAX];
        bool sealed, key_sealed;

        (void)name_unit(NAME_SERVICE_UNIT, site->instance->name, unit);
        /* With thousands of units, those that systemd need not read for it first. */
        if (!check->bus || (access(site->tls, F_OK) == 0 && !units_find(&check->units, unit)))
                return SOURCE_FOLDER;
        if (bus_get_credential(check->bus, unit, "privkey.pem", &key, &key_sealed) < 0 ||
            bus_get_credential(check->bus, unit, "fullchain.pem", &certificate, &sealed) < 0 ||
            !key || !certificate)
                return SOURCE_FOLDER;
        if (sealed || certificate[0] != '/' || key[0] != '/')
                return SOURCE_CLOSED;
        (void)snprintf(pair->certificate_path, PATH_MAX, "%s", certificate);
        (void)snprintf(pair->key_path, PATH_MAX, "%s", key);
        pair->is_key_sealed = key_sealed;
        return SOURCE_CREDENTIALS;
}

static void check_chain(Check *check, const Site *site, const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *subject = certificate_subject(chain->last);
        _cleanup_free_ char *issuer = certificate_issuer(chain->last);
        const Place place = place_of(site, pair->certificate_path);

        if (!chain->in_order)
                finding_add(&check->findings, FINDING_CHAIN_ORDER, place,
                            cure_order(site, pair, chain),
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
                            cure_incomplete(site, pair, chain),
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
                            cure_new_certificate(check, site, chain->leaf),
                            "the certificate (%s) is not valid before %s", name, day);
                break;
        case VALIDITY_ENDS_SOON:
                format_day(certificate_not_after(certificate), day);
                /* An authority renews its own. */
                if (is_leaf)
                        finding_add(&check->findings, FINDING_CERTIFICATE_EXPIRES, place,
                                    cure_new_certificate(check, site, chain->leaf),
                                    "the certificate (%s) expires in %ld days, on %s", name,
                                    (long)((certificate_not_after(certificate) - check->now) /
                                           DAY_SECONDS),
                                    day);
                break;
        case VALIDITY_OVER:
                format_day(certificate_not_after(certificate), day);
                finding_add(&check->findings, FINDING_CERTIFICATE_EXPIRED, place,
                            cure_new_certificate(check, site, chain->leaf),
                            "the certificate (%s) has expired on %s", name, day);
                break;
        }
        if (weakness)
                finding_add(&check->findings, FINDING_CERTIFICATE_WEAK, place,
                            cure_self_signed(check, site, true), "the certificate (%s): %s", name,
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
                    place_of(site, pair->certificate_path), cure_new_certificate(check, site, leaf),
                    "the certificate does not name %s%s", missing, n > 10 ? " and others" : "");
}

static void judge_pair(Check *check, const Site *site, const Pair *pair)
{
        const Chain chain = chain_judge(pair->certificates, pair->key, check->store);

        if (pair->key && X509_check_private_key(chain.leaf, pair->key) != 1)
                finding_add(&check->findings, FINDING_KEY_MISMATCH, place_of(site, pair->key_path),
                            cure_self_signed(check, site, true),
                            "the key is not that of the certificate in fullchain.pem");
        check_chain(check, site, pair, &chain);
        for (int i = 0; i < chain.n_linked; i++)
                check_one(check, site, pair, &chain,
                          sk_X509_value(pair->certificates, chain.order[i]));
        check_hosts(check, site, pair, chain.leaf);
}

static void add_no_tls(Check *check, const Site *site)
{
        const Instance *instance = site->instance;

        if (instance->http == HTTP_REDIRECT)
                finding_add(&check->findings, FINDING_REDIRECT_WITHOUT_TLS,
                            (Place){ instance->name, instance->file, 0 },
                            cure_self_signed(check, site, false),
                            "Http=redirect, but there is no certificate in %s", site->tls);
        else
                finding_add(&check->findings, FINDING_NO_TLS, place_of(site, site->tls), NULL,
                            "there is no certificate");
}

void check_tls(Check *check, Site *site)
{
        Pair pair;
        Source source;

        if (!pair_init(&pair, site))
                return;
        source = find_credentials(check, site, &pair);
        site->has_credentials = source != SOURCE_FOLDER;
        if (source == SOURCE_CLOSED)
                finding_add(&check->findings, FINDING_NOT_CHECKED,
                            (Place){ .instance = site->instance->name }, NULL,
                            "the certificate: only systemd can read this credential");
        else if (source == SOURCE_FOLDER && access(site->tls, F_OK) < 0)
                add_no_tls(check, site);
        else if (read_pair(check, site, &pair))
                judge_pair(check, site, &pair);
        pair_done(&pair);
}
