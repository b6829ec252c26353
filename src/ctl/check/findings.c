/* SPDX-License-Identifier: MIT */
/*
 * Owns the table of all that can be found.
 */
#include <stdarg.h>

#include "ctl/check/findings.h"
#include "ctl/show/text.h"
#include "util/cleanup.h"

#define NO_HTTPS "Without it the site's server does not start."

const char *const severity_names[SEVERITIES] = {
        [SEVERITY_NOTE] = "note",
        [SEVERITY_WARNING] = "warning",
        [SEVERITY_ERROR] = "error",
};

const FindingInfo finding_infos[FINDING_KINDS] = {
        [FINDING_CONFIG_ERROR] = { "config-error", SEVERITY_ERROR,
                                   "A file with a mistake is left out as a whole: its site gets no "
                                   "visitors, or "
                                   "those that the file named before." },
        [FINDING_SETTINGS_ERROR] = { "settings-error", SEVERITY_ERROR,
                                     "The router leaves out a file of settings that has a "
                                     "mistake." },
        [FINDING_FOLDER_WRITABLE] = { "folder-writable", SEVERITY_ERROR,
                                      "Who may write there can take the visitors of any site." },
        [FINDING_SHARED_UID] = { "shared-uid", SEVERITY_ERROR,
                                 "Nothing separates two sites that run as the same user: each can "
                                 "read the key "
                                 "of the other." },
        [FINDING_IDLE_TOO_SHORT] = { "idle-too-short", SEVERITY_WARNING,
                                     "The server would be started anew for nearly every visitor." },
        [FINDING_NETWORK_NOT_CLOSED] = { "network-not-closed", SEVERITY_NOTE,
                                         "Code that takes control of a site has ways to the "
                                         "network that "
                                         "Network=no should close; packets may leave, and nothing "
                                         "comes back." },
        [FINDING_REDIRECT_WITHOUT_TLS] = { "redirect-without-tls", SEVERITY_ERROR,
                                           "Visitors are sent from HTTP to HTTPS, where nobody "
                                           "answers." },
        [FINDING_NO_TLS] = { "no-tls", SEVERITY_NOTE, "The site answers HTTP only." },
        [FINDING_CERTIFICATE_MISSING] = { "certificate-missing", SEVERITY_ERROR, NO_HTTPS },
        [FINDING_CERTIFICATE_UNREADABLE] = { "certificate-unreadable", SEVERITY_ERROR,
                                             "The site's server runs as this user from its "
                                             "start. " NO_HTTPS },
        [FINDING_CERTIFICATE_INVALID] = { "certificate-invalid", SEVERITY_ERROR, NO_HTTPS },
        [FINDING_CERTIFICATE_EXPIRED] = { "certificate-expired", SEVERITY_ERROR,
                                          "Browsers refuse the site." },
        [FINDING_CERTIFICATE_EXPIRES] = { "certificate-expires", SEVERITY_WARNING,
                                          "Browsers refuse the site from then on." },
        [FINDING_CERTIFICATE_NOT_YET_VALID] = { "certificate-not-yet-valid", SEVERITY_ERROR,
                                                "Browsers refuse the site until then." },
        [FINDING_CERTIFICATE_WEAK] = { "certificate-weak", SEVERITY_ERROR,
                                       "OpenSSL and browsers refuse it." },
        [FINDING_CERTIFICATE_LACKS_HOST] = { "certificate-lacks-host", SEVERITY_ERROR,
                                             "Browsers refuse the site under these names." },
        [FINDING_CHAIN_ORDER] = { "chain-order", SEVERITY_ERROR,
                                  "The site's certificate must come first, then each one's issuer; "
                                  "some "
                                  "clients refuse another order." },
        [FINDING_CHAIN_INCOMPLETE] = { "chain-incomplete", SEVERITY_ERROR,
                                       "Clients that do not know the issuer from elsewhere refuse "
                                       "the site." },
        [FINDING_CHAIN_UNTRUSTED] = { "chain-untrusted", SEVERITY_NOTE,
                                      "Only clients that have been told of this authority accept "
                                      "the site." },
        [FINDING_SELF_SIGNED] = { "self-signed", SEVERITY_NOTE, "Browsers warn of it." },
        [FINDING_KEY_EXPOSED] = { "key-exposed", SEVERITY_ERROR,
                                  "Who can read the key can pretend to be the site." },
        [FINDING_KEY_ENCRYPTED] = { "key-encrypted", SEVERITY_ERROR,
                                    "The site's server would ask for the pass phrase, and nobody "
                                    "is there to type "
                                    "it. " NO_HTTPS },
        [FINDING_KEY_MISMATCH] = { "key-mismatch", SEVERITY_ERROR, NO_HTTPS },
        [FINDING_DOCUMENT_ROOT_MISSING] = { "document-root-missing", SEVERITY_ERROR,
                                            "All that visitors get is an error." },
        [FINDING_DOCUMENT_ROOT_UNREADABLE] = { "document-root-unreadable", SEVERITY_ERROR,
                                               "All that visitors get is an error." },
        [FINDING_DOCUMENT_ROOT_WRITABLE] = { "document-root-writable", SEVERITY_WARNING,
                                             "Every user of this machine can change the site and "
                                             "run programs as "
                                             "its user." },
        [FINDING_SNIPPET_ERROR] = { "snippet-error", SEVERITY_ERROR,
                                    "The site's server does not start; one that runs can't be "
                                    "reloaded." },
        [FINDING_TARGET_NOT_ENABLED] = { "target-not-enabled", SEVERITY_ERROR,
                                         "After the next boot no site is there." },
        [FINDING_ROUTER_NOT_LISTENING] = { "router-not-listening", SEVERITY_ERROR,
                                           "No site can be reached." },
        [FINDING_ROUTER_FAILED] = { "router-failed", SEVERITY_ERROR, "No site can be reached." },
        [FINDING_ROUTER_NOT_RELOADED] = { "router-not-reloaded", SEVERITY_WARNING,
                                          "What the files say now is not in force." },
        [FINDING_SOCKET_NOT_STARTED] = { "socket-not-started", SEVERITY_ERROR,
                                         "The router can't hand off the site's visitors: it "
                                         "refuses them." },
        [FINDING_SOCKET_LEFT_OVER] = { "socket-left-over", SEVERITY_WARNING,
                                       "A site that no file describes any more still runs, or can "
                                       "be started." },
        [FINDING_SITE_FAILED] = { "site-failed", SEVERITY_ERROR,
                                  "Its server does not start, or has ended with an error." },
        [FINDING_SITE_NOT_RELOADED] = { "site-not-reloaded", SEVERITY_WARNING,
                                        "The site's server goes on with what it has read before." },
        [FINDING_PORT_TAKEN] = { "port-taken", SEVERITY_ERROR,
                                 "The router can't listen there, so no site can be reached on that "
                                 "port." },
        [FINDING_WEB_SERVER_ENABLED] = { "web-server-enabled", SEVERITY_WARNING,
                                         "At the next boot it may take ports 80 and 443 before the "
                                         "router does." },
        [FINDING_QUEUE_TOO_SHORT] = { "queue-too-short", SEVERITY_WARNING,
                                      "Few visitors fit the queue of a site that is being started; "
                                      "the others wait "
                                      "in the router." },
        [FINDING_NOT_CHECKED] = { "not-checked", SEVERITY_NOTE,
                                  "What is wrong there was not seen." },
};

static void finding_done(Finding *finding)
{
        free(finding->instance);
        free(finding->file);
        free(finding->what);
        free(finding->cure);
}

void findings_done(Findings *findings)
{
        for (size_t i = 0; i < findings->n; i++)
                finding_done(&findings->findings[i]);
        free(findings->findings);
        *findings = (Findings){ .n = 0 };
}

static bool append(Findings *findings, const Finding *finding)
{
        if (findings->n == findings->room) {
                const size_t room = findings->room ? findings->room * 2 : 16;
                Finding *grown = reallocarray(findings->findings, room, sizeof(*grown));

                if (!grown)
                        return false;
                findings->findings = grown;
                findings->room = room;
        }
        findings->findings[findings->n++] = *finding;
        return true;
}

Finding *finding_add(Findings *findings, FindingKind kind, Place place, char *cure,
                     const char *format, ...)
{
        Finding finding = {
                .kind = kind,
                .severity = finding_infos[kind].severity,
                .instance = place.instance ? strdup(place.instance) : NULL,
                .file = place.file ? strdup(place.file) : NULL,
                .line = place.line,
                .cure = cure,
        };
        va_list args;

        va_start(args, format);
        if (vasprintf(&finding.what, format, args) < 0)
                finding.what = NULL;
        va_end(args);
        if (!finding.what || (place.instance && !finding.instance) ||
            (place.file && !finding.file) || !append(findings, &finding)) {
                finding_done(&finding);
                findings->n_lost++;
                return NULL;
        }
        text_make_harmless(finding.what);
        text_make_harmless(finding.file);
        return &findings->findings[findings->n - 1];
}

void findings_sort(Findings *findings)
{
        Finding *sorted = reallocarray(NULL, findings->n + 1, sizeof(*sorted));
        size_t n = 0;

        /* They are as right in any order. */
        if (!sorted)
                return;
        for (Severity severity = SEVERITIES; severity-- > 0;)
                for (size_t i = 0; i < findings->n; i++)
                        if (findings->findings[i].severity == severity)
                                sorted[n++] = findings->findings[i];
        free(findings->findings);
        findings->findings = sorted;
        findings->room = findings->n + 1;
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
