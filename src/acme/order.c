/* SPDX-License-Identifier: MIT */
/*
 * An order asks a certificate authority for one certificate. The ACME client uacme makes the order.
 * The folder orders/NAME in the state directory contains the files of the last order for the
 * instance NAME:
 *
 *   request.csr        The certificate request.
 *   request-cert.pem   The certificate; uacme chooses this name.
 *   last.csr, last-cert.pem
 *                      The same for the last certificate that was installed.
 *   authority          The URL of the authority's directory.
 *   plan               The challenge type of each host; bellhop-acme-hook reads this file.
 *   failed             The host whose challenge has failed or not ended, and perhaps the reason;
 *                      bellhop-acme-hook writes this file.
 *   hook               The output of DnsHook=.
 *   log                The output of uacme.
 *
 * Each try to get a certificate runs in a process that may be killed at any moment. The next try
 * must continue the work of the killed process. So a process records an order before it makes the
 * order, and installs a certificate that an earlier process has received, instead of ordering
 * another one.
 *
 * An authority refuses a whole order because of one host, and an order shows only the first of
 * these hosts. So an order leaves out hosts that the authority has refused before. Only after the
 * other hosts have their certificate, further orders try these hosts again.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "acme/answer.h"
#include "acme/ask.h"
#include "acme/names.h"
#include "acme/order.h"
#include "acme/state.h"
#include "config/settings.h"
#include "ctl/ask/certificate.h"
#include "util/cleanup.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log-ids.h"
#include "util/log.h"
#include "util/text.h"

#define HOSTS_MAX 100 /* of one certificate; Let's Encrypt has the same limit */

#define CERT_FAILED "bellhop-cert failed: "

#define LIMITED   "urn:ietf:params:acme:error:rateLimited"
#define BAD_NONCE "urn:ietf:params:acme:error:badNonce"

#define LOG_BYTES_MAX    (1024U * 1024)
#define PEM_BYTES_MAX    (1024U * 1024)
#define DAY_SEC          UINT64_C(86400)
#define LOCK_SEC_MAX     900
#define CHECK_NSEC       (UINT64_C(300) * 1000000000) /* to check all hosts */
#define UNREACHABLE_USEC (UINT64_C(300) * 1000000)
#define RECALL_SEC_MIN   (2 * DAY_SEC) /* uacme renews on the last day in any case */
#define RENEW_SPREAD     30 /* renewals are spread over a thirtieth of the life of a certificate */

typedef struct Order {
        const AcmeOrder *what;
        AcmeState state;
        AcmeSettings settings;
        const char *hosts[HOSTS_MAX];
        AcmeChallenge challenge[HOSTS_MAX];
        size_t n_hosts;      /* number of hosts that have not failed so far */
        size_t aside, n_all; /* hosts[aside] to hosts[n_all - 1] are set aside */
        size_t n_made;       /* number of orders in this try */
        bool is_installed;   /* this try has installed a certificate */
        bool is_answered;    /* the authority has answered, even with an error */
        bool is_general;     /* the authority or our account there failed, not a host */
        bool is_unread;      /* the server may not have read all files */
        bool is_unreachable; /* the next try comes soon, because the failure may be short */
} Order;

static uint64_t order_now(void)
{
        return (uint64_t)time(NULL);
}

/* Sets the error. Always returns false, so that the caller can return this result. */
__attribute__((format(printf, 2, 3))) static bool order_fail(Order *order, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        va_list args;

        va_start(args, format);
        text = text_format_args(format, args);
        va_end(args);
        acme_state_set_error(&order->state, text ? text : "not enough memory");
        return false;
}

/* Removes the folder and the files in it. */
static void order_remove_folder(const char *path)
{
        DIR *dir = opendir(path);

        for (struct dirent *entry; dir && (entry = readdir(dir));)
                (void)unlinkat(dirfd(dir), entry->d_name, 0);
        if (dir)
                (void)closedir(dir);
        (void)rmdir(path);
}

void acme_order_forget(const char *state_dir, const char *name)
{
        _cleanup_free_ char *path = text_format("%s/orders/%s", state_dir, name);

        if (path)
                order_remove_folder(path);
}

static char *order_path(const Order *order, const char *file)
{
        return text_format("%s/orders/%s%s%s", order->what->state_dir, order->what->name,
                           file ? "/" : "", file ? file : "");
}

static bool order_save(Order *order)
{
        const int r = acme_state_write(order->what->state_dir, order->what->name, &order->state);

        if (r < 0)
                log_error_errno(r, "can't write %s/instances/%s: %m", order->what->state_dir,
                                order->what->name);
        return r == 0;
}

static bool order_write_file(Order *order, const char *name, const char *text)
{
        _cleanup_free_ char *path = order_path(order, name);
        _cleanup_fclose_ FILE *out = path ? fopen(path, "we") : NULL;

        return (out && fputs(text, out) >= 0 && fflush(out) == 0) ||
               order_fail(order, "%s can't be written: %s", path ? path : name, strerror(errno));
}

/* --- hosts --- */

/* Moves a host to position `to`, and the hosts between both positions down by one. */
static void order_move(Order *order, size_t from, size_t to)
{
        const char *host = order->hosts[from];
        const AcmeChallenge challenge = order->challenge[from];

        memmove(order->hosts + from, order->hosts + from + 1, (to - from) * sizeof(*order->hosts));
        memmove(order->challenge + from, order->challenge + from + 1,
                (to - from) * sizeof(*order->challenge));
        order->hosts[to] = host;
        order->challenge[to] = challenge;
}

/* Removes host i from the order, and records the reason in the state. */
static void order_drop(Order *order, size_t i, const char *reason, bool is_refused)
{
        if (acme_state_add_failure(&order->state, order->hosts[i], reason, is_refused) < 0)
                log_error("%s: not enough memory to store why the certificate lacks %s",
                          order->what->name, order->hosts[i]);
        order_move(order, i, --order->n_hosts);
}

/* Adds n of the hosts that are set aside to the order. */
static void order_take_back(Order *order, size_t n)
{
        for (; n > 0 && order->aside < order->n_all; n--, order->aside++) {
                order->hosts[order->n_hosts] = order->hosts[order->aside];
                order->challenge[order->n_hosts] = order->challenge[order->aside];
                acme_state_forget_failure(&order->state, order->hosts[order->n_hosts++]);
        }
}

/* Sets the hosts aside that the authority has refused at an earlier try, but not if it has refused
 * all hosts. */
static void order_set_aside(Order *order)
{
        order->n_all = order->n_hosts;
        for (size_t i = 0; i < order->state.n_failures_of_hosts; i++) {
                const AcmeFailure *failure = &order->state.failures[i];
                size_t k = 0;

                while (k < order->n_hosts && strcmp(order->hosts[k], failure->host) != 0)
                        k++;
                if (failure->is_refused && k < order->n_hosts) {
                        order_move(order, k, order->n_all - 1);
                        order->n_hosts--;
                }
        }
        order->aside = order->n_hosts;
        if (order->n_hosts == 0)
                order_take_back(order, order->n_all);
}

/* --- checks of hosts --- */

static bool order_wants(const AcmeOrder *what, const char *host)
{
        for (size_t i = 0; i < what->n_hosts; i++)
                if (strcmp(what->hosts[i], host) == 0)
                        return true;
        return false;
}

/* Keeps only what the authority said about hosts that the instance still has. */
static void order_forget_failures(Order *order)
{
        for (size_t i = order->state.n_failures_of_hosts; i-- > 0;) {
                const AcmeFailure *failure = &order->state.failures[i];

                if (!failure->is_refused || !order_wants(order->what, failure->host))
                        acme_state_forget_failure(&order->state, failure->host);
        }
}

/* Returns the hosts, sorted: hosts that failed at the last try come last, because they may be slow
 * again. The caller frees the array. */
static const char **order_sort_hosts(const Order *order)
{
        const AcmeOrder *what = order->what;
        const char **hosts = calloc(what->n_hosts + 1, sizeof(*hosts));
        size_t n = 0;

        for (int failed = 0; hosts && failed < 2; failed++)
                for (size_t i = 0; i < what->n_hosts; i++)
                        if (failed == (acme_state_failure_of(&order->state, what->hosts[i]) != 0))
                                hosts[n++] = what->hosts[i];
        return hosts;
}

/* Adds the host to the order if it passes the checks. */
static void order_check_host(Order *order, const char *host, bool is_last, uint64_t deadline_nsec)
{
        const size_t i = order->n_hosts++;
        char reason[NAMES_REASON_MAX];

        order->hosts[i] = host;
        if (i >= HOSTS_MAX - 1 && !is_last)
                order_drop(
                        order, i,
                        "a certificate has at most 100 hosts; move this host to another instance",
                        false);
        else if (clock_nsec(CLOCK_MONOTONIC) > deadline_nsec)
                order_drop(order, i,
                           "this host was not checked, because the checks of other hosts took too "
                           "long",
                           false);
        else if (!names_check(&order->settings, order->what->challenges, host, &order->challenge[i],
                              reason))
                order_drop(order, i, reason, false);
}

static bool order_check_hosts(Order *order)
{
        const uint64_t deadline_nsec = clock_nsec(CLOCK_MONOTONIC) + CHECK_NSEC;
        const size_t n = order->what->n_hosts;
        _cleanup_free_ const char **hosts = order_sort_hosts(order);

        if (!hosts)
                return order_fail(order, "not enough memory");
        order_forget_failures(order);
        for (size_t i = 0; i < n; i++)
                order_check_host(order, hosts[i], i + 1 == n, deadline_nsec);
        if (n == 0)
                return order_fail(order, "the instance has no Host= that a certificate could name");
        return order->n_hosts > 0 ||
               order_fail(order, "no host of the instance can get a certificate");
}

/* --- certificates --- */

/* Returns when to renew a certificate: after two thirds of its life, or up to a thirtieth of its
 * life earlier. The name of the instance decides how much earlier, so that renewals are spread. */
static uint64_t order_renewal(const char *name, uint64_t not_before, uint64_t not_after)
{
        const uint64_t life = not_after > not_before ? not_after - not_before : 0;
        uint64_t hash = UINT64_C(0xCBF29CE484222325); /* FNV-1a */

        for (const char *c = name; *c; c++)
                hash = (hash ^ (uint8_t)*c) * UINT64_C(0x100000001B3);
        return not_before + life / 3 * 2 - hash % (life / RENEW_SPREAD + 1);
}

/* Whether the certificate has a host that a new certificate would not have, because that host fails
 * at the moment. */
static bool order_has_more(const Order *order, X509 *leaf)
{
        for (size_t i = 0; i < order->state.n_failures_of_hosts; i++)
                if (certificate_covers(leaf, order->state.failures[i].host))
                        return true;
        return false;
}

/* Whether the certificate has all hosts that have not failed, and its renewal is not due yet. If a
 * new certificate would have fewer hosts, the present one is kept until a sixth of its life is
 * left. */
static bool order_is_enough(const Order *order, X509 *leaf)
{
        const uint64_t not_before = (uint64_t)certificate_not_before(leaf);
        const uint64_t not_after = (uint64_t)certificate_not_after(leaf);
        const uint64_t now = order_now();

        for (size_t i = 0; i < order->n_hosts; i++)
                if (!certificate_covers(leaf, order->hosts[i]))
                        return false;
        return now < order_renewal(order->what->name, not_before, not_after) ||
               (now + (not_after - not_before) / 6 < not_after && order_has_more(order, leaf));
}

static void order_digest(X509 *leaf, char ret[static ACME_DIGEST_MAX + 1])
{
        _cleanup_free_ char *digest = certificate_fingerprint(leaf);
        char *to = ret;

        /* Leaves out the colons. */
        for (const char *c = digest; c && *c && to < ret + ACME_DIGEST_MAX; c++)
                if (*c != ':')
                        *to++ = *c;
        *to = 0;
}

static void order_note_certificate(Order *order, X509 *leaf)
{
        order->state.not_before = (uint64_t)certificate_not_before(leaf);
        order->state.not_after = (uint64_t)certificate_not_after(leaf);
        order_digest(leaf, order->state.certificate);
}

/* Whether bellhop-acme got the certificate from an authority other than the one that the settings
 * now name. */
static bool order_is_of_another(const Order *order, X509 *leaf)
{
        char digest[ACME_DIGEST_MAX + 1];

        order_digest(leaf, digest);
        return strcmp(digest, order->state.certificate) == 0 && order->state.authority[0] &&
               strcmp(order->state.authority, order->settings.directory) != 0;
}

/* Gives the request and the certificate second names, under which the next order does not replace
 * them. */
static void order_keep(const Order *order)
{
        static const char *const names[][2] = { { "request.csr", "last.csr" },
                                                { "request-cert.pem", "last-cert.pem" } };

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                _cleanup_free_ char *from = order_path(order, names[i][0]);
                _cleanup_free_ char *to = order_path(order, names[i][1]);

                if (!from || !to || (unlink(to) < 0 && errno != ENOENT) || link(from, to) < 0)
                        log_warning("%s: can't make %s: %m", order->what->name, names[i][1]);
        }
}

static bool order_install(Order *order)
{
        _cleanup_free_ char *path = order_path(order, "request-cert.pem"), *pem = NULL;
        _cleanup_free_ char *question = NULL, *text = NULL;
        STACK_OF(X509) *chain = NULL;
        size_t size;
        int r = path ? file_read(path, O_NOFOLLOW, PEM_BYTES_MAX, &pem, &size) : -ENOMEM;

        if (r < 0)
                return order_fail(order, "%s: %s", path ? path : "certificate", strerror(-r));
        if (certificates_parse(pem, size, &chain) != PEM_TAKEN)
                return order_fail(order, "the file %s is damaged", path);
        question = text_format("install %s\n%s", order->what->name, pem);
        r = question ? acme_ask(order->what->cert_socket, question, &text) : -ENOMEM;
        if (r == 0) {
                order_note_certificate(order, sk_X509_value(chain, 0));
                (void)strcpy(order->state.authority, order->settings.directory);
                order->is_installed = true;
                order_keep(order);
        }
        certificates_free(chain);
        return r == 0 || order_fail(order, CERT_FAILED "%s", r == -EREMOTEIO ? text : strerror(-r));
}

/* Lets hosts with their own certificates use the present certificate, if they can. */
static void order_share(Order *order)
{
        _cleanup_free_ char *question =
                text_format("share %s%s\n", order->what->name, order->is_unread ? " again" : "");
        _cleanup_free_ char *text = NULL;
        const int r = question ? acme_ask(order->what->cert_socket, question, &text) : -ENOMEM;

        if (r < 0)
                (void)order_fail(order, CERT_FAILED "%s", r == -EREMOTEIO ? text : strerror(-r));
        else
                order->is_unread = false;
}

/* Gets the digest of a certificate in the folder of the order; "" if there is none. */
static void order_digest_of(const Order *order, const char *file,
                            char ret[static ACME_DIGEST_MAX + 1])
{
        _cleanup_free_ char *path = order_path(order, file);
        STACK_OF(X509) *chain = NULL;

        ret[0] = 0;
        if (path && certificates_read(path, &chain) == PEM_TAKEN)
                order_digest(sk_X509_value(chain, 0), ret);
        certificates_free(chain);
}

/* Whether the certificate is in place, but the server may still use an older one because its reload
 * failed. */
static bool order_needs_reload(const Order *order, X509 *leaf)
{
        char present[ACME_DIGEST_MAX + 1], last[ACME_DIGEST_MAX + 1];

        order_digest(leaf, present);
        order_digest_of(order, "request-cert.pem", last);
        return strcmp(present, last) == 0 && strcmp(present, order->state.certificate) != 0;
}

static bool order_is_recalled(const Order *order, X509 *leaf)
{
        char digest[ACME_DIGEST_MAX + 1];

        order_digest(leaf, digest);
        return strcmp(digest, order->state.recalled) == 0;
}

/* Whether the certificate in the folder of the instance is good enough, so that no order is
 * necessary. */
static bool order_has_present(Order *order)
{
        _cleanup_free_ char *question = text_format("show %s\n", order->what->name), *text = NULL;
        STACK_OF(X509) *chain = NULL;
        bool good = false;
        X509 *leaf;

        if (!question || acme_ask(order->what->cert_socket, question, &text) < 0 ||
            strncmp(text, "signed matches\n", strlen("signed matches\n")) != 0 ||
            certificates_parse(text, strlen(text), &chain) != PEM_TAKEN)
                return false;
        leaf = sk_X509_value(chain, 0);
        good = order_is_enough(order, leaf) && !order_is_of_another(order, leaf) &&
               !order_is_recalled(order, leaf);
        if (good && order_needs_reload(order, leaf)) {
                (void)order_install(order);
        } else if (good) {
                order_note_certificate(order, leaf);
                order_share(order);
        }
        certificates_free(chain);
        return good;
}

/* Installs a certificate that was issued but is not in place, because an earlier process ended
 * before it could install the certificate, or because the customer has removed it. */
static bool order_has_unused(Order *order)
{
        _cleanup_free_ char *path = order_path(order, "request-cert.pem");
        _cleanup_free_ char *origin = order_path(order, "authority"), *authority = NULL;
        STACK_OF(X509) *chain = NULL;
        size_t size;
        bool good = path && origin && certificates_read(path, &chain) == PEM_TAKEN &&
                    order_is_enough(order, sk_X509_value(chain, 0)) &&
                    !order_is_recalled(order, sk_X509_value(chain, 0)) &&
                    file_read(origin, O_NOFOLLOW, ACME_URL_MAX, &authority, &size) == 0 &&
                    strcmp(authority, order->settings.directory) == 0;

        certificates_free(chain);
        good = good && order_install(order);
        acme_state_set_error(&order->state, NULL);
        return good;
}

/* --- the request --- */

static bool order_has_host(const Order *order, const ASN1_STRING *name)
{
        const char *text = (const char *)ASN1_STRING_get0_data(name);

        for (size_t i = 0; i < order->n_hosts; i++)
                if ((size_t)ASN1_STRING_length(name) == strlen(order->hosts[i]) &&
                    memcmp(text, order->hosts[i], strlen(order->hosts[i])) == 0)
                        return true;
        return false;
}

/* Whether the request names exactly the hosts of the order. This must be checked, because a process
 * of the customer made the request. */
static bool order_request_is_ours(const Order *order, X509_REQ *request)
{
        STACK_OF(X509_EXTENSION) *extensions = request ? X509_REQ_get_extensions(request) : NULL;
        GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);
        X509_NAME *subject = request ? X509_REQ_get_subject_name(request) : NULL;
        bool good = names && sk_X509_EXTENSION_num(extensions) == 1 &&
                    (size_t)sk_GENERAL_NAME_num(names) == order->n_hosts &&
                    X509_NAME_entry_count(subject) <= 1;

        for (int i = 0; good && i < sk_GENERAL_NAME_num(names); i++) {
                int type;
                const void *name = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);

                good = type == GEN_DNS && order_has_host(order, name);
        }
        if (good && X509_NAME_entry_count(subject) == 1)
                good = order_has_host(order,
                                      X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, 0)));
        GENERAL_NAMES_free(names);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
        return good;
}

/* Writes the parsed request to the file for uacme, not the text from bellhop-cert: in this text,
 * uacme could find another request than the one that is checked here. */
static bool order_write_request(Order *order, const char *text)
{
        _cleanup_free_ char *path = order_path(order, "request.csr");
        BIO *in = BIO_new_mem_buf(text, -1), *out = NULL;
        X509_REQ *request = in ? PEM_read_bio_X509_REQ(in, NULL, NULL, NULL) : NULL;
        bool good = order_request_is_ours(order, request);

        if (!good)
                (void)order_fail(
                        order,
                        "the certificate request names other hosts than bellhop-acme asked for");
        else if (!path || (unlink(path) < 0 && errno != ENOENT) ||
                 !(out = BIO_new_file(path, "w")) || PEM_write_bio_X509_REQ(out, request) != 1 ||
                 BIO_flush(out) != 1)
                good = order_fail(order, "the certificate request can't be written to %s",
                                  path ? path : "");
        BIO_free(out);
        X509_REQ_free(request);
        BIO_free(in);
        ERR_clear_error();
        return good;
}

static bool order_request(Order *order)
{
        _cleanup_free_ char *hosts = texts_join((char **)order->hosts, order->n_hosts, " ");
        _cleanup_free_ char *question = NULL, *text = NULL;
        int r = -ENOMEM;

        if (hosts)
                question = text_format("request %s %s %s\n", order->what->name,
                                       acme_key_type_names[order->settings.key_type], hosts);
        if (question)
                r = acme_ask(order->what->cert_socket, question, &text);
        if (r < 0)
                return order_fail(order, "bellhop-cert can't make a certificate request: %s",
                                  r == -EREMOTEIO ? text : strerror(-r));
        return order_write_request(order, text);
}

/* --- uacme --- */

static int order_wait(pid_t pid, uint64_t timeout_usec)
{
        _cleanup_close_ int fd = pidfd_open(pid, 0);
        struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
        const int timeout_msec =
                timeout_usec / 1000 > INT_MAX ? INT_MAX : (int)(timeout_usec / 1000);
        int status = -1;

        if (fd >= 0)
                (void)poll(&poll_fd, 1, timeout_msec);
        /* This also ends programs that the hook has left behind. They would keep the lock. */
        (void)kill(-pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return status;
}

static unsigned order_alarm_sec(const Order *order)
{
        const uint64_t sec = order->settings.order_timeout_usec / 1000000;

        return sec < INT_MAX ? (unsigned)sec + 1 : INT_MAX;
}

_Noreturn static void order_exec(const Order *order, const char *const arguments[], int log)
{
        /* If DnsHook= hangs for one host, time remains for an order without this host. */
        _cleanup_free_ char *hook_sec = text_format("%u", order_alarm_sec(order) / 2 + 1);
        const char *const settings[][2] = {
                { "BELLHOP_ACME_CHALLENGES", order->what->challenges },
                { "BELLHOP_ACME_DNS_HOOK", order->settings.dns_hook },
                { "BELLHOP_ACME_DNS_HOOK_SEC", hook_sec ? hook_sec : "60" },
        };
        _cleanup_free_ char *folder = order_path(order, NULL);

        (void)setsid();
        /* The alarm ends uacme even if the process that waits for uacme was killed. */
        (void)alarm(order_alarm_sec(order));
        for (size_t i = 0; i < ELEMENTSOF(settings); i++)
                (void)setenv(settings[i][0], settings[i][1], 1);
        if (folder && setenv("BELLHOP_ACME_ORDER", folder, 1) == 0 &&
            dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
                (void)execv(arguments[0], (char *const *)arguments);
        (void)dprintf(log, "%s: %s\n", arguments[0], strerror(errno));
        _exit(EXIT_FAILURE);
}

/* Runs uacme, whose output goes to the file "log". Returns its waitpid(2) status. */
static int order_run_uacme(Order *order, const char *const arguments[])
{
        _cleanup_free_ char *path = order_path(order, "log");
        _cleanup_close_ int log =
                path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640) : -1;
        const pid_t pid = log < 0 ? -1 : fork();

        if (pid == 0)
                order_exec(order, arguments, log);
        return pid < 0 ? -1 : order_wait(pid, order->settings.order_timeout_usec);
}

static char *order_read_log(const Order *order)
{
        _cleanup_free_ char *path = order_path(order, "log");
        char *text = NULL;
        size_t size;

        return path && file_read(path, O_NOFOLLOW, LOG_BYTES_MAX, &text, &size) == 0 ? text : NULL;
}

static void order_judge_authority(Order *order, const char *log, const char *type)
{
        const bool has_lost = answer_is_lost_account(log, type);
        _cleanup_free_ char *made =
                text_format("%s/accounts/%s/made", order->what->state_dir, order->what->authority);

        order->is_unreachable = has_lost || answer_is_absence(log, type);
        order->is_general = order->is_unreachable || strcmp(type, LIMITED) == 0;
        /* Without this file, the next try makes another account. */
        if (has_lost && made)
                (void)unlink(made);
}

/* Returns why the order failed. by_hook: the reason in the file "failed", or NULL. */
static char *order_explain(const Order *order, int status, const char *log, const char *detail,
                           const char *by_hook)
{
        char line[ANSWER_TEXT_MAX] = "";

        if (by_hook && !order->is_general)
                return strndup(by_hook, strcspn(by_hook, "\n"));
        /* If the authority is unreachable, its earlier messages do not matter. */
        if (detail[0] && !order->is_unreachable)
                return text_format("the authority says: %s", detail);
        if (WIFSIGNALED(status))
                return strdup("uacme was killed; perhaps the order took longer than "
                              "OrderTimeoutSec= in the file of the authority");
        answer_last_line(log, line);
        return strdup(line);
}

/* Leaves out the hosts that the authority has refused. status: the waitpid(2) status of uacme.
 * Sets the error if no host remains, or if the order failed for another reason. */
static void order_judge_failure(Order *order, int status)
{
        _cleanup_free_ char *text = order_read_log(order), *path = order_path(order, "failed");
        _cleanup_free_ char *failed = NULL, *reason = NULL;
        char detail[ANSWER_TEXT_MAX] = "", type[ANSWER_TEXT_MAX] = "";
        const char *log = text ? text : "";
        size_t size, n_before = order->n_hosts;
        char *by_hook = NULL;

        answer_find_value(log, "detail", detail);
        answer_find_value(log, "type", type);
        order_judge_authority(order, log, type);
        /* An order counts only if uacme has reached the authority. */
        if (text && !strstr(log, "\nuacme: creating new order"))
                order->state.n_orders--;
        /* An authority may refuse a nonce at any time, and uacme gives up after three refusals. */
        if (strcmp(type, BAD_NONCE) == 0 && !order->is_general) {
                const LogFields fields = { .instance = order->what->name };

                log_full(LOG_NOTICE, &fields,
                         "the authority has refused three nonces of the order for %s; bellhop-acme "
                         "orders again at once",
                         fields.instance);
                return;
        }
        if (path)
                (void)file_read(path, O_NOFOLLOW, LOG_BYTES_MAX, &failed, &size);
        by_hook = failed ? strchr(failed, ' ') : NULL;
        if (by_hook)
                *by_hook++ = 0;
        reason = order_explain(order, status, log, detail, by_hook);
        if (!reason || order->is_general) {
                (void)order_fail(order, "%s", reason ? reason : "not enough memory");
                return;
        }
        for (size_t i = order->n_hosts; i-- > 0;) {
                const char *host = order->hosts[i] + (order->hosts[i][0] == '*' ? 2 : 0);

                if ((failed && answer_names_host(failed, host)) ||
                    (!failed && type[0] && answer_names_host(detail, host)))
                        order_drop(order, i, reason, true);
        }
        if (order->n_hosts == 0)
                (void)order_fail(order, "no host of the instance can get a certificate");
        else if (order->n_hosts == n_before || WIFSIGNALED(status))
                (void)order_fail(order, "%s", reason);
}

/* --- the account --- */

/* Saves the account's URL for an administrator who writes it into CAA records (RFC 8657). */
static void order_note_account(const Order *order, const char *folder)
{
        static const char key[] = "account location: ", made[] = "account created at ";
        _cleanup_free_ char *log = order_read_log(order), *path = text_format("%s/url", folder);
        const char *at = log ? strstr(log, key) : NULL;
        _cleanup_fclose_ FILE *out = NULL;

        if (at)
                at += strlen(key);
        else if (log && (at = strstr(log, made)))
                at += strlen(made);
        out = at && path ? fopen(path, "we") : NULL;
        if (out)
                (void)fprintf(out, "%.*s\n", (int)strcspn(at, "\n"), at);
}

/* Reads a line "KEYID:KEY". */
static char *order_read_external_account(Order *order)
{
        char *text = NULL;
        size_t size;
        const int r = file_read(order->settings.external_account, 0, ACME_TEXT_MAX, &text, &size);

        if (r < 0)
                (void)order_fail(order, "%s: %s", order->settings.external_account, strerror(-r));
        else
                text[strcspn(text, "\n")] = 0;
        return text;
}

static bool order_make_account(Order *order, const char *folder, bool is_new)
{
        _cleanup_free_ char *external = NULL, *log = NULL;
        const char *arguments[16] = { BELLHOP_UACME,
                                      "--verbose",
                                      "--yes",
                                      "--type",
                                      "EC",
                                      "--acme-url",
                                      order->settings.directory,
                                      "--confdir",
                                      folder };
        char detail[ANSWER_TEXT_MAX] = "", type[ANSWER_TEXT_MAX] = "";
        size_t n = 9;

        if (is_new && order->settings.external_account[0]) {
                external = order_read_external_account(order);
                if (!external)
                        return false;
                arguments[n++] = "--eab";
                arguments[n++] = external;
        }
        arguments[n++] = is_new ? "new" : "update";
        if (order->settings.contact[0])
                arguments[n++] = order->settings.contact;
        if (order_run_uacme(order, arguments) == 0)
                return true;
        log = order_read_log(order);
        if (log) {
                answer_find_value(log, "detail", detail);
                answer_find_value(log, "type", type);
                order_judge_authority(order, log, type);
                order->is_unreachable = order->is_unreachable || strcmp(type, BAD_NONCE) == 0;
                if (!detail[0])
                        answer_last_line(log, detail);
        }
        return order_fail(order,
                          "bellhop-acme could not make or update its account at the authority: %s",
                          detail);
}

/* Makes an account, or updates it if its settings have changed. */
static bool order_need_account(Order *order, const char *folder)
{
        _cleanup_free_ char *path = text_format("%s/made", folder), *present = NULL;
        _cleanup_free_ char *wanted =
                text_format("%s %s %s\n", order->settings.directory, order->settings.contact,
                            order->settings.external_account);
        _cleanup_close_ int lock = -EBADF;
        _cleanup_fclose_ FILE *out = NULL;
        size_t size;
        bool is_new;

        if (!path || !wanted)
                return order_fail(order, "not enough memory");
        /* With mode 0711, customers can't open the folder, so they can't lock it. */
        if (mkdir(folder, 0711) < 0 && errno != EEXIST)
                return order_fail(order, "%s: %s", folder, strerror(errno));
        lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (lock < 0 || flock(lock, LOCK_EX) < 0)
                return order_fail(order, "%s: %s", folder, strerror(errno));
        if (file_read(path, O_NOFOLLOW, PEM_BYTES_MAX, &present, &size) == 0 &&
            strcmp(present, wanted) == 0)
                return true;
        is_new = !present || strncmp(present, order->settings.directory,
                                     strlen(order->settings.directory)) != 0;
        if (!order_make_account(order, folder, is_new))
                return false;
        order_note_account(order, folder);
        out = fopen(path, "we");
        return (out && fputs(wanted, out) >= 0 && fflush(out) == 0) ||
               order_fail(order, "%s can't be written: %s", path, strerror(errno));
}

/* --- the order --- */

static bool order_write_plan(Order *order)
{
        _cleanup_free_ char *text = NULL, *failed = order_path(order, "failed");
        size_t size;
        FILE *out = open_memstream(&text, &size);

        if (!out || !failed)
                return order_fail(order, "not enough memory");
        for (size_t i = 0; i < order->n_hosts; i++)
                fprintf(out, "%s %s\n", acme_challenge_names[order->challenge[i]],
                        order->hosts[i] + (order->hosts[i][0] == '*' ? 2 : 0));
        if (fclose(out) != 0)
                return order_fail(order, "not enough memory");
        (void)unlink(failed);
        return order_write_file(order, "plan", text);
}

/* Removes the files of challenges that still exist because the hook was killed. */
static void order_remove_challenges(const Order *order)
{
        for (size_t i = 0; i < order->what->n_hosts; i++) {
                const char *host = order->what->hosts[i];
                _cleanup_free_ char *folder =
                        text_format("%s/http-01/%s", order->what->challenges, host);
                _cleanup_free_ char *file =
                        text_format("%s/tls-alpn-01/%s", order->what->challenges, host);

                if (folder)
                        order_remove_folder(folder);
                if (file)
                        (void)unlink(file);
        }
}

static bool order_has_budget(Order *order)
{
        const uint64_t limit = order->settings.orders_per_week_per_instance;

        return acme_state_count_orders(&order->state, order_now()) < limit ||
               order_fail(order,
                          "%" PRIu64 " orders were made in a week, which is the limit: "
                          "OrdersPerWeekPerInstance= in the file of the authority",
                          limit);
}

/* Makes one order. Returns false if the order failed. If it failed and order->state.error is NULL,
 * the caller can try another order, perhaps with fewer hosts. */
static bool order_make(Order *order, const char *account)
{
        _cleanup_free_ char *request = order_path(order, "request.csr");
        _cleanup_free_ char *certificate = order_path(order, "request-cert.pem");
        const char *const arguments[] = {
                BELLHOP_UACME, "--verbose",  "--never-create",          "--no-ocsp",
                "--force",     "--acme-url", order->settings.directory, "--confdir",
                account,       "--hook",     order->what->hook,         "issue",
                request,       NULL
        };
        int status;

        if (!request || !certificate)
                return order_fail(order, "not enough memory");
        if (!order_has_budget(order) || !order_request(order) || !order_write_plan(order) ||
            !order_write_file(order, "authority", order->settings.directory))
                return false;
        /* uacme would keep an existing certificate file under another name. */
        (void)unlink(certificate);
        acme_state_add_order(&order->state, order_now());
        if (!order_save(order))
                return order_fail(order, "bellhop-acme can't write its record of the certificate");
        status = order_run_uacme(order, arguments);
        order->is_answered = true;
        order_remove_challenges(order);
        order_note_account(order, account);
        if (status == 0)
                return true;
        order_judge_failure(order, status);
        return false;
}

static bool order_get(Order *order)
{
        _cleanup_free_ char *account =
                text_format("%s/accounts/%s", order->what->state_dir, order->what->authority);

        if (!account)
                return order_fail(order, "not enough memory");
        if (!order_need_account(order, account)) {
                order->is_general = true;
                return false;
        }
        while (order->n_made < order->what->orders_max) {
                order->n_made++;
                if (order_make(order, account))
                        return order_install(order);
                if (order->state.error)
                        return false;
                /* The present certificate may have all remaining hosts. */
                if (order_has_present(order))
                        return true;
        }
        return order_fail(order, "the authority has refused hosts in all orders of this try, whose "
                                 "number is limited; the next try leaves these hosts out");
}

/* Returns true if the hosts of the order have a good certificate in the end. */
static bool order_need_certificate(Order *order)
{
        return order_has_present(order) || order_has_unused(order) || order_get(order);
}

/* Tries again the hosts that the authority has refused at earlier tries. Each refusal costs an
 * order, so this uses at most half of the orders of a week. */
static void order_retry_refused(Order *order)
{
        const uint64_t n_week = acme_state_count_orders(&order->state, order_now());
        const uint64_t n_half = (order->settings.orders_per_week_per_instance + 1) / 2;
        const char *retried[HOSTS_MAX];
        size_t n = order->n_all - order->aside;

        if (n_week >= n_half)
                return;
        if (n > n_half - n_week)
                n = n_half - n_week;
        if (n > order->what->orders_max - order->n_made)
                n = order->what->orders_max - order->n_made;
        memcpy(retried, order->hosts + order->aside, n * sizeof(*retried));
        order_take_back(order, n);
        if (n == 0 || order_need_certificate(order))
                return;
        /* These hosts must not keep others from a certificate at the next try. */
        for (size_t i = 0; i < n; i++)
                if (!acme_state_failure_of(&order->state, retried[i]))
                        (void)acme_state_add_failure(&order->state, retried[i],
                                                     "the authority refused this host; then an "
                                                     "order with it failed for another reason",
                                                     true);
}

/* Makes a key for which the authority has no account, unless there is one. */
static bool order_need_unknown_key(const char *folder)
{
        _cleanup_free_ char *private = text_format("%s/private", folder);
        _cleanup_free_ char *path = text_format("%s/private/key.pem", folder);
        EVP_PKEY *key = NULL;
        BIO *out = NULL;
        bool good = private && path && access(path, F_OK) == 0;

        if (!good && private && path && (mkdir(folder, 0711) == 0 || errno == EEXIST) &&
            (mkdir(private, 0700) == 0 || errno == EEXIST)) {
                key = EVP_EC_gen("P-256");
                out = key ? BIO_new_file(path, "w") : NULL;
                good = out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
        }
        BIO_free(out);
        EVP_PKEY_free(key);
        return good;
}

/* Asks the authority whether the certificate should be renewed early (RFC 9773), and records this.
 * Only uacme asks, from version 1.7.6 on, and it would order at once. So it gets a key for which
 * there is no account: if uacme wants to order, it finds that out first, and ends. */
static void order_ask_for_recall(Order *order)
{
        AcmeState *state = &order->state;
        _cleanup_free_ char *request = order_path(order, "last.csr"), *log = NULL;
        _cleanup_free_ char *folder = text_format("%s/no-account", order->what->state_dir);
        const char *const arguments[] = {
                BELLHOP_UACME, "--verbose", "--never-create", "--no-ocsp",
                "--days",      "1",         "--acme-url",     order->settings.directory,
                "--confdir",   folder,      "issue",          request,
                NULL
        };
        char last[ACME_DIGEST_MAX + 1];

        order_digest_of(order, "last-cert.pem", last);
        if (!request || !folder || !last[0] || strcmp(last, state->certificate) != 0 ||
            strcmp(last, state->recalled) == 0 || order_now() + RECALL_SEC_MIN > state->not_after ||
            !order_need_unknown_key(folder))
                return;
        (void)order_run_uacme(order, arguments);
        log = order_read_log(order);
        if (log && answer_is_lost_account(log, "")) {
                const LogFields fields = { .instance = order->what->name };

                (void)strcpy(state->recalled, last);
                log_full(LOG_NOTICE, &fields,
                         "the authority asks for an early renewal of the certificate of %s",
                         fields.instance);
        }
}

static bool order_load_settings(Order *order)
{
        Config problems = { .n_problems = 0 };
        const char *dir = order->what->config_dir, *name = order->what->authority;
        const int r = acme_settings_load(&problems, dir, name, &order->settings);

        if (r == -EINVAL && problems.n_problems > 0)
                (void)order_fail(order, "%s", problems.problems[0].text);
        else if (r == -ENOENT)
                (void)order_fail(order, "%s/acme/%s.conf does not exist, but Acme= names it", dir,
                                 name);
        else if (r < 0)
                (void)order_fail(order, "%s/acme/%s.conf: %s", dir, name, strerror(-r));
        problems_done(&problems);
        return r == 0;
}

/* Locks the folder of the order. If bellhop-acme was killed, and an earlier try for the instance is
 * still running, waits until that try has ended, at most LOCK_SEC_MAX. */
static bool order_lock(Order *order, int *ret)
{
        _cleanup_free_ char *path = order_path(order, NULL);

        if (!path || (mkdir(path, 0750) < 0 && errno != EEXIST))
                return order_fail(order, "%s: %s", path ? path : "orders", strerror(errno));
        *ret = open(path, O_RDONLY | O_DIRECTORY);
        for (int i = 0; *ret >= 0 && i < LOCK_SEC_MAX; i++) {
                if (flock(*ret, LOCK_EX | LOCK_NB) == 0)
                        return true;
                if (errno != EWOULDBLOCK && errno != EINTR)
                        break;
                (void)sleep(1);
        }
        return order_fail(order, "%s can't be locked: %s", path, strerror(errno));
}

/* --- the end --- */

/* Returns the pause before the next try. It doubles with each failure. An authority that can't be
 * reached is tried again soon. */
static uint64_t order_pause_sec(const Order *order)
{
        uint64_t usec = order->settings.retry_usec;

        if (order->is_unreachable && usec > UNREACHABLE_USEC)
                return UNREACHABLE_USEC / 1000000;
        for (uint64_t i = 1; i < order->state.n_failures && usec < order->settings.retry_max_usec;
             i++)
                usec *= 2;
        usec = usec < order->settings.retry_max_usec ? usec : order->settings.retry_max_usec;
        return usec / 1000000 + 1;
}

static void order_log(const Order *order, const char *certificate_before)
{
        const AcmeState *state = &order->state;
        LogFields fields = { .message_id = LOG_ID_CERTIFICATE_FAILED,
                             .instance = order->what->name };

        if (state->error)
                log_full(LOG_WARNING, &fields, "%s gets no new certificate: %s", fields.instance,
                         state->error);
        for (size_t i = 0; i < state->n_failures_of_hosts; i++)
                log_full(LOG_WARNING, &fields, "%s gets no certificate for %s: %s", fields.instance,
                         state->failures[i].host, state->failures[i].reason);
        fields.message_id = LOG_ID_CERTIFICATE;
        if (!state->error && strcmp(certificate_before, state->certificate) != 0)
                log_full(LOG_INFO, &fields, "%s has a new certificate for %zu host%s",
                         fields.instance, order->n_hosts, order->n_hosts == 1 ? "" : "s");
}

static void order_finish(Order *order)
{
        AcmeState *state = &order->state;
        const uint64_t now = order_now();
        uint64_t renewal = UINT64_MAX;
        bool is_done;

        if (state->certificate[0])
                renewal = order_renewal(order->what->name, state->not_before, state->not_after);
        /* A new certificate is due already if the clock is wrong, or if the order took long. */
        is_done = !state->error && state->n_failures_of_hosts == 0 && renewal > now;
        state->tried = now;
        if (is_done || (order->is_installed && renewal > now))
                state->n_failures = 0;
        if (!is_done && !order->is_general)
                state->n_failures++;
        (void)snprintf(state->wanted, sizeof(state->wanted), "%s", order->what->wanted);
        state->next =
                now + (state->error || state->n_failures > 0 ? order_pause_sec(order) : DAY_SEC);
        if (renewal > now && renewal < state->next)
                state->next = renewal;
        (void)order_save(order);
}

AcmeResult acme_order_run(const AcmeOrder *what)
{
        Order order = { .what = what };
        char before[ACME_DIGEST_MAX + 1];
        int lock = -EBADF; /* uacme inherits this descriptor, and so the lock */
        AcmeResult result = ACME_TRIED;

        if (order_lock(&order, &lock)) {
                acme_state_done(&order.state);
                (void)acme_state_read(what->state_dir, what->name, &order.state);
        }
        memcpy(before, order.state.certificate, sizeof(before));
        order.is_unread = order.state.error &&
                          strncmp(order.state.error, CERT_FAILED, strlen(CERT_FAILED)) == 0;
        acme_state_set_error(&order.state, NULL);
        if (order_load_settings(&order) && order_check_hosts(&order)) {
                order_set_aside(&order);
                order_ask_for_recall(&order);
                if (order_need_certificate(&order))
                        order_retry_refused(&order);
        }
        if (order.is_general)
                result = ACME_PAUSE;
        else if (order.is_answered)
                result = ACME_ANSWERED;
        order_log(&order, before);
        order_finish(&order);
        acme_state_done(&order.state);
        (void)close_fd(lock);
        return result;
}
