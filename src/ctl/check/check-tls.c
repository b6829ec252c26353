/* SPDX-License-Identifier: MIT */
/*
 * Checks an instance's certificate and key: whether its user can read them, whether they match each
 * other and the hosts, and whether the certificate is valid now.
 */
#include "ctl/ask/certificate.h"
#include "ctl/check/check.h"
#include "ctl/show/show.h"
#include "util/cleanup.h"
#include "util/text.h"

#define DAY_SECONDS     86400
#define HOSTS_SHOWN_MAX 10

#define ADVICE_CREDENTIAL                                                                    \
        "Replace the files that LoadCredential= of bellhop@{name}.service names, then run '" \
        "systemctl try-restart bellhop@{name}.service'."
#define ADVICE_NO_CREDENTIAL                                                                       \
        "To use the certificate that bellhop-acme gets, remove the credentials fullchain.pem and " \
        "privkey.pem from the drop-ins of bellhop@{name}.service, then run 'systemctl "            \
        "daemon-reload' and 'systemctl try-restart bellhop@{name}.service'."
/* The first command makes a self-signed pair of certificate and key, because bellhop-acme needs a
 * pair with which the instance can start. */
#define ADVICE_ACME_ANEW                                           \
        "Run '" ADVICE_SELF_SIGNED " --force' and '" ADVICE_RELOAD \
        "'. bellhop-acme replaces this self-signed certificate at its next try."
#define ADVICE_ACME_WAIT                                                                          \
        "Wait until bellhop-acme replaces the certificate: 'bellhopctl status {name}' shows the " \
        "next try and the last error. If bellhop-acme is not running, run 'systemctl start "      \
        "bellhop-acme.service'."
#define ADVICE_OWN_FOLDER                                                                       \
        "As user {name} (runuser --pty -u {name}), replace the folder of the certificate by a " \
        "copy that this user can write to. Then bellhop-acme can replace the certificate."
#define ACME_LATE_SECONDS (7 * DAY_SECONDS)
#define ADVICE_SIGN_AGAIN ADVICE_SELF_SIGNED " --force && " ADVICE_RELOAD

/* The certificate and key of an instance or of a host, and their contents if they are readable. */
typedef struct Pair {
        InstanceCheck *inst;
        const char *host; /* the host whose folder has the files; NULL: the instance's folder has
                             them */
        char certificate_path[PATH_MAX];
        char key_path[PATH_MAX];
        STACK_OF(X509) * certificates; /* NULL: could not be read */
        EVP_PKEY *key;                 /* NULL: could not be read */
        bool is_key_sealed;            /* encrypted by systemd-creds(1): only systemd can read it */
        bool is_acme;                  /* bellhop-acme will replace it */
        const char *obstacle;          /* why bellhop-acme does not replace it; NULL: it does, or
                                          the instance does not have Tls=acme */
        const char *advice;            /* replaces the usual advice of a finding; NULL: keeps it */
} Pair;

#define tls_finding(pair, kind, path, ...) \
        instance_finding((pair)->inst, kind, path, (pair)->advice, __VA_ARGS__)

static void tls_add_unreadable(const Pair *pair, const char *path, const Access *access)
{
        if (access->error == -ENOENT)
                tls_finding(pair, FINDING_CERTIFICATE_MISSING, path, "%s does not exist",
                            access->obstacle);
        else
                instance_add_closed(pair->inst, FINDING_CERTIFICATE_UNREADABLE, path, pair->advice,
                                    access);
}

static void tls_check_exposure(const Pair *pair, const struct stat *st)
{
        const Identity *user = &pair->inst->user;
        const bool by_group = (st->st_mode & S_IRWXG) && st->st_gid != user->gid && st->st_gid != 0;
        const char *advice = NULL;

        if (!(st->st_mode & S_IRWXO) && !by_group)
                return;
        if (pair->inst->has_credentials)
                advice = "Allow only root to read the key (mode 0400).";
        else if (st->st_uid != user->uid)
                advice = pair->is_acme ? ADVICE_ACME_ANEW
                                       : "Install certificate and key with '" ADVICE_INSTALL "'.";
        instance_finding(pair->inst, FINDING_KEY_EXPOSED, pair->key_path, advice,
                         "users other than %s can read the key (mode %04o)", pair->inst->name,
                         st->st_mode & 07777);
}

/* Reports a file without a usable certificate or key. result: the result of certificates_read() or
 * key_read(). */
static void tls_add_unparsed(const Pair *pair, const char *path, int result, const char *what)
{
        if (result == PEM_ENCRYPTED)
                tls_finding(pair, FINDING_KEY_ENCRYPTED, path, "the key is encrypted");
        else if (result != PEM_TAKEN)
                tls_finding(pair, FINDING_CERTIFICATE_INVALID, path,
                            result == PEM_NOTHING ? "it contains no %s in PEM format"
                                                  : "it contains a damaged %s",
                            what);
}

/* Returns a path to the open file, which the customer can't replace. */
static const char *tls_open_path(int fd, char ret[static 32])
{
        (void)snprintf(ret, 32, "/proc/self/fd/%d", fd);
        return ret;
}

/* Reads both files, and reports faults of each. Returns whether there is a certificate to judge. */
static bool tls_read_pair(Pair *pair)
{
        static const Identity root = { .uid = 0 };
        InstanceCheck *inst = pair->inst;
        const Identity *who = inst->has_credentials ? &root : &inst->user;
        _cleanup_close_ int certificate_fd = -EBADF, key_fd = -EBADF;
        Access answers[2];
        char open_path[32];

        if (access_open(who, inst->replaced, pair->certificate_path, R_OK, &answers[0],
                        &certificate_fd) < 0 ||
            access_open(who, inst->replaced, pair->key_path, R_OK, &answers[1], &key_fd) < 0) {
                inst->check->n_needs_root++;
                return false;
        }
        if (answers[0].error < 0) {
                tls_add_unreadable(pair, pair->certificate_path, &answers[0]);
        } else {
                newest_note(&inst->newest, pair->certificate_path, changed_inode(&answers[0].stat));
                tls_add_unparsed(pair, pair->certificate_path,
                                 certificates_read(tls_open_path(certificate_fd, open_path),
                                                   &pair->certificates),
                                 "certificate");
        }
        if (pair->is_key_sealed)
                return pair->certificates;
        if (answers[1].error == 0) {
                newest_note(&inst->newest, pair->key_path, changed_inode(&answers[1].stat));
                tls_check_exposure(pair, &answers[1].stat);
                tls_add_unparsed(pair, pair->key_path,
                                 key_read(tls_open_path(key_fd, open_path), &pair->key),
                                 "private key");
                /* If the same file or folder prevents access to both, one finding is enough. */
        } else if (answers[0].error == 0 || strcmp(answers[0].obstacle, answers[1].obstacle) != 0) {
                tls_add_unreadable(pair, pair->key_path, &answers[1]);
        }
        return pair->certificates;
}

/* Returns 1 if systemd passes the certificate and key as credentials, 0 if not, or a negative errno
 * if systemd does not answer. Credentials take precedence over the folder. *ret_closed: whether
 * only systemd can read the credentials. */
static int tls_find_credentials(Pair *pair, bool *ret_closed)
{
        const InstanceCheck *inst = pair->inst;
        const Check *check = inst->check;
        _cleanup_free_ char *certificate = NULL, *key = NULL;
        char unit[NAME_UNIT_MAX];
        bool sealed, key_sealed;
        int r;

        (void)name_unit(NAME_SERVICE_UNIT, inst->name, unit);
        /* If systemd is asked about a unit, it has to load the unit, which is slow for thousands of
         * instances. So this function asks only about an instance that has no folder of
         * certificates, or whose unit is loaded. */
        if (!check->bus || (access(inst->tls, F_OK) == 0 && !units_find(&check->units, unit)))
                return 0;
        r = bus_get_credential(check->bus, unit, "privkey.pem", &key, &key_sealed);
        if (r == 0)
                r = bus_get_credential(check->bus, unit, "fullchain.pem", &certificate, &sealed);
        if (r < 0 || !key || !certificate)
                return r;
        pair->is_key_sealed = key_sealed;
        *ret_closed = sealed || certificate[0] != '/' || key[0] != '/';
        (void)snprintf(pair->certificate_path, PATH_MAX, "%s", certificate);
        (void)snprintf(pair->key_path, PATH_MAX, "%s", key);
        return 1;
}

static void tls_check_chain(const Pair *pair, const Chain *chain)
{
        _cleanup_free_ char *subject = certificate_subject(chain->last);
        _cleanup_free_ char *issuer = certificate_issuer(chain->last);
        _cleanup_free_ char *url = certificate_issuer_url(chain->last);
        const char *path = pair->certificate_path;

        if (!chain->in_order)
                tls_finding(pair, FINDING_CHAIN_ORDER, path,
                            "the certificates in it are in the wrong order");
        switch (chain->state) {
        case CHAIN_TRUSTED:
                break;
        case CHAIN_SELF_SIGNED:
                instance_finding(pair->inst, FINDING_SELF_SIGNED, path,
                                 pair->is_acme ? ADVICE_ACME_WAIT : NULL,
                                 "the certificate is self-signed");
                break;
        case CHAIN_UNTRUSTED:
                instance_finding(pair->inst, FINDING_CHAIN_UNTRUSTED, path, NULL,
                                 "this machine does not trust the authority of the certificate: %s",
                                 issuer ? issuer : "it has no name");
                break;
        case CHAIN_INCOMPLETE:
                tls_finding(pair, FINDING_CHAIN_INCOMPLETE, path,
                            "the certificate of the issuer (%s) of %s is missing%s%s",
                            issuer ? issuer : "without name",
                            subject ? subject : "the last certificate",
                            url ? "; it is published at " : "", url ? url : "");
                break;
        }
}

static void tls_format_minute(time_t time, char ret[static 32])
{
        struct tm tm;

        (void)gmtime_r(&time, &tm);
        (void)strftime(ret, 32, "%Y-%m-%d %H:%M UTC", &tm);
}

/* Whether bellhop-acme still has time to renew the certificate. It renews a certificate in the last
 * third of the certificate's life. */
static bool tls_is_early(const X509 *certificate, time_t now)
{
        const time_t end = certificate_not_after(certificate);
        const time_t sixth = (end - certificate_not_before(certificate)) / 6;

        return end - now > (sixth < ACME_LATE_SECONDS ? sixth : ACME_LATE_SECONDS);
}

/* Checks one certificate of the chain. An expired certificate breaks the chain, even if it is the
 * issuer's. advice: replaces the usual advice of a finding; NULL: keeps it. */
static void tls_check_one(const Pair *pair, X509 *certificate, bool is_leaf, const char *advice)
{
        const time_t now = pair->inst->check->now, end = certificate_not_after(certificate);
        const char *path = pair->certificate_path, *weakness = certificate_weakness(certificate);
        _cleanup_free_ char *subject = certificate_subject(certificate);
        const char *name = subject && subject[0] ? subject : "without name";
        const char *before_why =
                pair->obstacle ? "; bellhop-acme does not replace it, because " : "";
        const char *why = pair->obstacle ? pair->obstacle : "";
        char from[32], until[32], days[SHOWN_MAX];

        tls_format_minute(certificate_not_before(certificate), from);
        tls_format_minute(end, until);
        switch (certificate_validity(certificate, now)) {
        case VALIDITY_GOOD:
                break;
        case VALIDITY_NOT_YET:
                instance_finding(pair->inst, FINDING_CERTIFICATE_NOT_YET_VALID, path, advice,
                                 "the certificate (%s) is not valid before %s", name, from);
                break;
        case VALIDITY_ENDS_SOON:
                /* Ignores the certificate of an authority, which the authority renews, and a
                 * certificate that bellhop-acme may still renew in time. */
                if (is_leaf && !(pair->is_acme && tls_is_early(certificate, now)))
                        instance_finding(pair->inst, FINDING_CERTIFICATE_EXPIRES, path, advice,
                                         "the certificate (%s) expires in %s, on %s%s%s", name,
                                         show_days((uint64_t)((end - now) / DAY_SECONDS), days),
                                         until, before_why, why);
                break;
        case VALIDITY_OVER:
                instance_finding(pair->inst, FINDING_CERTIFICATE_EXPIRED, path, advice,
                                 "the certificate (%s) expired on %s%s%s", name, until, before_why,
                                 why);
                break;
        }
        if (weakness)
                tls_finding(pair, FINDING_CERTIFICATE_WEAK, path, "the certificate (%s): %s", name,
                            weakness);
}

/* Finds the folder of a host. Returns false if there is none. */
static bool tls_find_folder(const InstanceCheck *inst, const char *host, char ret[static PATH_MAX])
{
        char folder[NAME_HOST_MAX];
        const int n = snprintf(ret, PATH_MAX, "%s/%s", inst->tls, name_host_folder(host, folder));
        Access answer;

        return n > 0 && n < PATH_MAX &&
               (access_ask(&inst->user, inst->replaced, ret, X_OK, &answer) < 0 ||
                answer.error != -ENOENT);
}

static bool tls_is_for(const Pair *pair, const char *host)
{
        char folder[PATH_MAX];

        return pair->host ? strcmp(pair->host, host) == 0
                          : !tls_find_folder(pair->inst, host, folder);
}

static void tls_check_hosts(const Pair *pair, X509 *leaf, const char *advice)
{
        const Hosts *hosts = pair->inst->hosts;
        _cleanup_free_ char *missing = NULL;
        size_t size, n = 0;
        FILE *out = open_memstream(&missing, &size);

        for (size_t i = 0; out && i < hosts->n_hosts; i++)
                if (tls_is_for(pair, hosts->hosts[i]) &&
                    !acme_state_failure_of(&pair->inst->acme, hosts->hosts[i]) &&
                    !certificate_covers(leaf, hosts->hosts[i]) && n++ < HOSTS_SHOWN_MAX)
                        fprintf(out, "%s%s", n > 1 ? ", " : "", hosts->hosts[i]);
        if (out && fclose(out) == 0 && n > 0)
                instance_finding(pair->inst, FINDING_CERTIFICATE_LACKS_HOST, pair->certificate_path,
                                 advice, "the certificate does not name %s%s", missing,
                                 n > HOSTS_SHOWN_MAX ? " and others" : "");
}

static void tls_judge_pair(const Pair *pair)
{
        const char *advice = pair->advice;
        const Chain chain = chain_judge(pair->certificates, pair->key, pair->inst->check->store);

        if (!pair->host) {
                pair->inst->certificate_begin = certificate_not_before(chain.leaf);
                pair->inst->certificate_end = certificate_not_after(chain.leaf);
                pair->inst->self_signed = chain.state == CHAIN_SELF_SIGNED;
        }
        if (pair->is_acme)
                advice = ADVICE_ACME_WAIT;
        else if (!pair->advice && certificate_is_self_signed(chain.leaf))
                advice = ADVICE_SIGN_AGAIN;
        if (pair->key && X509_check_private_key(chain.leaf, pair->key) != 1)
                tls_finding(pair, FINDING_KEY_MISMATCH, pair->key_path,
                            "the key does not belong to the certificate in fullchain.pem");
        tls_check_chain(pair, &chain);
        for (int i = 0; i < chain.n; i++)
                tls_check_one(pair, chain.linked[i], i == 0, advice);
        /* If snippets set a certificate, it may be for the hosts that this certificate lacks. */
        if (pair->host || !pair->inst->sets_certificate)
                tls_check_hosts(pair, chain.leaf, advice);
}

/* Finds out whether bellhop-acme will copy the certificate of the instance to the folder of the
 * host. main: the certificate of the instance; NULL: it could not be read. */
static void tls_judge_acme(Pair *pair, const char *folder, X509 *main)
{
        InstanceCheck *inst = pair->inst;
        X509 *leaf = sk_X509_value(pair->certificates, 0);
        Access answer;

        if (inst->instance->tls != TLS_ACME)
                return;
        if (!main || !certificate_covers_like(main, leaf, inst->hosts, inst->instance)) {
                pair->obstacle = "the certificate of the instance does not cover the same hosts";
        } else if (access_ask(&inst->user, inst->replaced, folder, W_OK, &answer) == 0 &&
                   answer.error < 0) {
                pair->obstacle = "the customer can't write to its folder";
                pair->advice = ADVICE_OWN_FOLDER;
        }
        pair->is_acme = !pair->obstacle;
}

/* Checks the pair of a host. If one of the files is missing, the instance ignores the pair and
 * still starts. main: the certificate of the instance; NULL: it could not be read. */
static void tls_check_host(InstanceCheck *inst, const char *host, X509 *main)
{
        char folder[PATH_MAX];
        _cleanup_free_ char *advice = text_format(
                "Install certificate and key with 'bellhopctl cert %s --host=%s --install "
                "CERT KEY'.",
                inst->name, host);
        Pair pair = { .inst = inst, .host = host, .advice = advice };

        if (!tls_find_folder(inst, host, folder))
                return;
        (void)snprintf(pair.certificate_path, PATH_MAX, "%.*s/fullchain.pem", PATH_MAX - 16,
                       folder);
        (void)snprintf(pair.key_path, PATH_MAX, "%.*s/privkey.pem", PATH_MAX - 16, folder);
        if (tls_read_pair(&pair)) {
                X509 *leaf = sk_X509_value(pair.certificates, 0);

                tls_judge_acme(&pair, folder, main);
                /* bellhop-acme copies the certificate of the instance to hosts. A copy has the same
                 * faults. */
                if (main && X509_cmp(main, leaf) == 0 && pair.key &&
                    X509_check_private_key(leaf, pair.key) == 1)
                        tls_check_hosts(&pair, leaf, advice);
                else
                        tls_judge_pair(&pair);
        }
        certificates_free(pair.certificates);
        EVP_PKEY_free(pair.key);
}

static void tls_add_none(InstanceCheck *inst)
{
        if (inst->instance->http == HTTP_REDIRECT && !inst->instance->is_suspended)
                instance_finding(inst, FINDING_REDIRECT_WITHOUT_TLS, inst->instance->file, NULL,
                                 "Http=redirect is set, but %s has no certificate", inst->tls);
        else
                instance_finding(inst, FINDING_NO_TLS, inst->tls,
                                 inst->instance->tls == TLS_ACME ? ADVICE_ACME_WAIT : NULL,
                                 "there is no certificate");
}

void check_tls(InstanceCheck *inst)
{
        const char *dir = inst->check->ctl->config_dir;
        Pair pair = { .inst = inst };
        bool closed = false;
        int passed;

        if (!name_path_fill(NAME_CERTIFICATE, dir, inst->name, pair.certificate_path) ||
            !name_path_fill(NAME_PRIVATE_KEY, dir, inst->name, pair.key_path))
                return;
        passed = tls_find_credentials(&pair, &closed);
        inst->has_credentials = passed > 0;
        pair.is_acme = inst->instance->tls == TLS_ACME && !inst->has_credentials;
        pair.advice = inst->has_credentials ? ADVICE_CREDENTIAL
                      : pair.is_acme        ? ADVICE_ACME_ANEW
                                            : NULL;
        if (inst->has_credentials && inst->instance->tls == TLS_ACME)
                instance_finding(inst, FINDING_ACME_UNUSED, inst->instance->file,
                                 ADVICE_NO_CREDENTIAL,
                                 "the file has Tls=acme, but the unit passes another certificate "
                                 "as a credential");
        if (passed < 0)
                instance_finding(inst, FINDING_NOT_CHECKED, NULL, NULL,
                                 "the certificate was not checked: systemd does not answer whether "
                                 "the unit passes one (%s)",
                                 strerror(-passed));
        else if (closed)
                instance_finding(inst, FINDING_NOT_CHECKED, NULL, NULL,
                                 "the certificate was not checked: it is a credential that only "
                                 "systemd can read");
        else if (!inst->has_credentials && access(inst->tls, F_OK) < 0)
                tls_add_none(inst);
        else if (tls_read_pair(&pair))
                tls_judge_pair(&pair);
        for (size_t i = 0; passed == 0 && i < inst->hosts->n_hosts; i++)
                tls_check_host(inst, inst->hosts->hosts[i],
                               pair.certificates ? sk_X509_value(pair.certificates, 0) : NULL);
        certificates_free(pair.certificates);
        EVP_PKEY_free(pair.key);
}
