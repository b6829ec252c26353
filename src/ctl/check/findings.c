/* SPDX-License-Identifier: MIT */
#include <stdarg.h>

#include "ctl/check/findings.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/text.h"

const char *const severity_names[SEVERITIES] = {
        [SEVERITY_NOTE] = "note",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
};

#define NO_HTTPS    "Without it, the instance does not start."
#define UNREACHABLE "No instance can be reached."
#define NO_PAGES    "All that visitors get is an error."
#define AS_USER     "As user {name} ('runuser --pty -u {name} -- sh'), "
#define THEN_RELOAD "then run '" ADVICE_RELOAD "'."
#define THEN_APPLY  "then run '" ADVICE_APPLY "'."
#define OR_ANEW     "or run '" ADVICE_SELF_SIGNED "'; "
#define ISSUED_ANEW "Have its authority issue one that is valid for all hosts, " THEN_RELOAD
#define RESTART     "systemctl try-restart bellhop@{name}.service"

#define ROW(KIND, ...) [FINDING_##KIND] = { __VA_ARGS__ }

const FindingInfo finding_infos[FINDING_KINDS] = {
        ROW(CONFIG_ERROR, "config-error", SEVERITY_ERROR,
            "A file with a mistake is left out as a whole: its instance gets no visitors, or those "
            "that the file named before.",
            "Correct the file, " THEN_APPLY),
        ROW(SETTINGS_ERROR, "settings-error", SEVERITY_ERROR,
            "The router leaves out a file of settings that has a mistake.",
            "Correct the file, " THEN_APPLY),
        ROW(FOLDER_WRITABLE, "folder-writable", SEVERITY_ERROR,
            "Whoever may write there can take the visitors of any instance.",
            "Make root its owner, let nobody else write in it, and look through its files."),
        ROW(SHARED_UID, "shared-uid", SEVERITY_ERROR,
            "Nothing separates two instances that run as the same user: each can read the key of "
            "the other.",
            "Give each of them a user with a uid of its own, or remove one of them: 'bellhopctl "
            "remove {name}{config}'."),
        ROW(IDLE_TOO_SHORT, "idle-too-short", SEVERITY_WARNING,
            "The instance would be started anew for nearly every visitor.",
            "Write IdleSec=10min or remove the line, " THEN_APPLY),
        ROW(NETWORK_NOT_CLOSED, "network-not-closed", SEVERITY_NOTE,
            "Code that takes control of an instance has ways to the network that Network=no should "
            "close; packets may leave, and nothing comes back.",
            NULL),
        ROW(REDIRECT_WITHOUT_TLS, "redirect-without-tls", SEVERITY_ERROR,
            "Visitors are sent from HTTP to HTTPS, where nobody answers.",
            "bellhopctl cert {name} --self-signed{config} && " RESTART),
        ROW(NO_TLS, "no-tls", SEVERITY_NOTE, "The instance answers HTTP only.", NULL),
        ROW(CERTIFICATE_MISSING, "certificate-missing", SEVERITY_ERROR, NO_HTTPS,
            AS_USER "put it there, " OR_ANEW THEN_RELOAD),
        ROW(CERTIFICATE_UNREADABLE, "certificate-unreadable", SEVERITY_ERROR,
            "The instance runs as this user from its start. " NO_HTTPS,
            "Let user {name} read it, changing or copying files in folders of that user only as "
            "that user ('runuser --pty -u {name} -- sh'), " THEN_RELOAD),
        ROW(CERTIFICATE_INVALID, "certificate-invalid", SEVERITY_ERROR, NO_HTTPS,
            AS_USER "replace it, " OR_ANEW THEN_RELOAD),
        ROW(CERTIFICATE_EXPIRED, "certificate-expired", SEVERITY_ERROR,
            "Browsers refuse the website.", ISSUED_ANEW),
        ROW(CERTIFICATE_EXPIRES, "certificate-expires", SEVERITY_WARNING,
            "Browsers refuse the website from then on.", ISSUED_ANEW),
        ROW(CERTIFICATE_NOT_YET_VALID, "certificate-not-yet-valid", SEVERITY_ERROR,
            "Browsers refuse the website until then.", ISSUED_ANEW),
        ROW(CERTIFICATE_WEAK, "certificate-weak", SEVERITY_ERROR, "OpenSSL and browsers refuse it.",
            "Have its authority issue one for a new key, " OR_ANEW THEN_RELOAD),
        ROW(CERTIFICATE_LACKS_HOST, "certificate-lacks-host", SEVERITY_ERROR,
            "Browsers refuse the website under these names.", ISSUED_ANEW),
        ROW(CHAIN_ORDER, "chain-order", SEVERITY_ERROR,
            "The instance's certificate must come first, then each one's issuer; some clients "
            "refuse another order.",
            AS_USER "put them in this order, " THEN_RELOAD),
        ROW(CHAIN_INCOMPLETE, "chain-incomplete", SEVERITY_ERROR,
            "Clients that do not know the issuer from elsewhere refuse the website.",
            AS_USER
            "append the issuer's certificate, often in chain.pem, to the file, " THEN_RELOAD),
        ROW(CHAIN_UNTRUSTED, "chain-untrusted", SEVERITY_NOTE,
            "Only clients that were given this authority accept the website.", NULL),
        ROW(SELF_SIGNED, "self-signed", SEVERITY_NOTE, "Browsers warn of it.", NULL),
        ROW(KEY_EXPOSED, "key-exposed", SEVERITY_ERROR,
            "Whoever can read the key can pretend to be the website.",
            "runuser --pty -u {name} -- chmod 0400 {file}"),
        ROW(KEY_ENCRYPTED, "key-encrypted", SEVERITY_ERROR,
            "Nobody is there to type the pass phrase when the instance starts. " NO_HTTPS,
            AS_USER "remove the pass phrase with 'openssl pkey', " THEN_RELOAD),
        ROW(KEY_MISMATCH, "key-mismatch", SEVERITY_ERROR, NO_HTTPS,
            AS_USER "put the key of the certificate there, " OR_ANEW THEN_RELOAD),
        ROW(DOCUMENT_ROOT_MISSING, "document-root-missing", SEVERITY_ERROR, NO_PAGES,
            "Make the folder /srv/www/{name} with user {name} as its owner, then run '" RESTART
            "'."),
        ROW(DOCUMENT_ROOT_UNREADABLE, "document-root-unreadable", SEVERITY_ERROR, NO_PAGES,
            "Let user {name} read it, and enter the folders before it."),
        ROW(DOCUMENT_ROOT_WRITABLE, "document-root-writable", SEVERITY_WARNING,
            "Every user of this machine can change the website and run programs as its user.",
            "runuser --pty -u {name} -- chmod o-w {file}"),
        ROW(SNIPPET_ERROR, "snippet-error", SEVERITY_ERROR,
            "The instance does not start; one that runs can't be reloaded.",
            AS_USER "correct it or move it away, " THEN_RELOAD),
        ROW(TARGET_NOT_ENABLED, "target-not-enabled", SEVERITY_ERROR,
            "After the next boot, no instance can be reached.", "systemctl enable bellhop.target"),
        ROW(ROUTER_NOT_LISTENING, "router-not-listening", SEVERITY_ERROR, UNREACHABLE,
            "systemctl start bellhop.target bellhop-router.socket bellhop-router.service"),
        ROW(ROUTER_FAILED, "router-failed", SEVERITY_ERROR, UNREACHABLE,
            "systemctl restart bellhop-router.service || journalctl -n 20 -u "
            "bellhop-router.service"),
        ROW(ROUTER_NOT_RELOADED, "router-not-reloaded", SEVERITY_WARNING,
            "What the files say now is not in force.", ADVICE_APPLY),
        ROW(SOCKET_NOT_STARTED, "socket-not-started", SEVERITY_ERROR,
            "The router can't hand off the instance's visitors: it refuses them.",
            "systemctl restart bellhop@{name}.socket"),
        ROW(SOCKET_LEFT_OVER, "socket-left-over", SEVERITY_WARNING,
            "An instance that no file describes any more still runs, or can be started.",
            ADVICE_APPLY),
        ROW(SITE_FAILED, "site-failed", SEVERITY_ERROR,
            "The instance does not start, or has ended with an error.",
            "systemctl restart bellhop@{name}.service || journalctl -n 20 -u "
            "bellhop@{name}.service"),
        ROW(SITE_NOT_RELOADED, "site-not-reloaded", SEVERITY_WARNING,
            "The instance goes on with what it read before.", ADVICE_RELOAD),
        ROW(PORT_TAKEN, "port-taken", SEVERITY_ERROR,
            "The router can't listen there, so no instance can be reached on that port.",
            "Find the program with 'ss -tlnp' and stop it, then run 'systemctl restart "
            "bellhop-router.socket bellhop-router.service'."),
        ROW(WEB_SERVER_ENABLED, "web-server-enabled", SEVERITY_WARNING,
            "At the next boot it may take ports 80 and 443 before the router does.",
            "Disable it with 'systemctl disable'."),
        ROW(QUEUE_TOO_SHORT, "queue-too-short", SEVERITY_WARNING,
            "Few visitors fit the queue of an instance that is being started; the others wait in "
            "the router.",
            "Set net.unix.max_dgram_qlen=512 in /etc/sysctl.d (sysctl.d(5)), then run 'sysctl "
            "--system' and \"systemctl restart 'bellhop@*.socket'\"."),
        ROW(NOT_CHECKED, "not-checked", SEVERITY_NOTE, "What is wrong there was not seen.", NULL),
};

static void finding_done(Finding *finding)
{
        free(finding->instance);
        free(finding->file);
        free(finding->what);
        free(finding->advice);
}

void findings_done(Findings *findings)
{
        for (size_t i = 0; i < findings->n; i++)
                finding_done(&findings->findings[i]);
        free(findings->findings);
        *findings = (Findings){ .n = 0 };
}

/* The advice with its placeholders replaced, to be freed; NULL: no memory. */
static char *finding_fill(const Findings *findings, Place place, const char *advice)
{
        _cleanup_free_ char *filled = NULL, *config = NULL;
        size_t size;
        FILE *out = open_memstream(&filled, &size);

        if (findings->config_dir)
                config = text_format(" --config=%s", findings->config_dir);
        const char *const words[][2] = { { "{name}", place.instance },
                                         { "{file}", place.file },
                                         { "{config}", config } };

        while (out && *advice) {
                size_t i = 0;

                while (i < ELEMENTSOF(words) &&
                       strncmp(advice, words[i][0], strlen(words[i][0])) != 0)
                        i++;
                if (i == ELEMENTSOF(words)) {
                        (void)fputc(*advice++, out);
                } else {
                        (void)fputs(words[i][1] ? words[i][1] : "", out);
                        advice += strlen(words[i][0]);
                }
        }
        return out && fclose(out) == 0 ? take_ptr(filled) : NULL;
}

Finding *finding_add(Findings *findings, FindingKind kind, Place place, const char *advice,
                     const char *format, ...)
{
        Finding finding = {
                .kind = kind,
                .severity = finding_infos[kind].severity,
                .instance = place.instance ? strdup(place.instance) : NULL,
                .file = place.file ? strdup(place.file) : NULL,
                .line = place.line,
        };
        va_list args;

        if (!advice)
                advice = finding_infos[kind].advice;
        if (advice)
                finding.advice = finding_fill(findings, place, advice);
        va_start(args, format);
        finding.what = text_format_args(format, args);
        va_end(args);
        if (!finding.what || !finding.advice != !advice || !finding.instance != !place.instance ||
            !finding.file != !place.file ||
            array_append(findings->findings, findings->n, finding) < 0) {
                finding_done(&finding);
                findings->n_lost++;
                return NULL;
        }
        text_make_harmless(finding.what);
        text_make_harmless(finding.file);
        text_make_harmless(finding.advice);
        return &findings->findings[findings->n - 1];
}

void findings_sort(Findings *findings)
{
        Finding *sorted = reallocarray(NULL, findings->n + 1, sizeof(*sorted));
        size_t n = 0;

        /* They are as true in any order. */
        if (!sorted)
                return;
        for (Severity severity = SEVERITIES; severity-- > 0;)
                for (size_t i = 0; i < findings->n; i++)
                        if (findings->findings[i].severity == severity)
                                sorted[n++] = findings->findings[i];
        free(findings->findings);
        findings->findings = sorted;
}

size_t findings_count(const Findings *findings, Severity severity)
{
        size_t n = 0;

        for (size_t i = 0; i < findings->n; i++)
                n += findings->findings[i].severity == severity;
        return n;
}

bool findings_have_error(const Findings *findings, const char *instance)
{
        for (size_t i = 0; i < findings->n; i++) {
                const Finding *finding = &findings->findings[i];

                if (finding->severity == SEVERITY_ERROR && finding->instance &&
                    strcmp(finding->instance, instance) == 0)
                        return true;
        }
        return false;
}

void findings_be_strict(Findings *findings)
{
        for (size_t i = 0; i < findings->n; i++)
                if (findings->findings[i].severity == SEVERITY_WARNING)
                        findings->findings[i].severity = SEVERITY_ERROR;
}
