/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <ctype.h>
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

#define NO_HTTPS    "Without a readable certificate and key, the instance does not start."
#define UNREACHABLE "Clients can't reach any instance."
#define NO_PAGES    "Clients only get errors."
#define PAIR        "certificate and key with '" ADVICE_INSTALL "'"
#define THEN_APPLY  "then run '" ADVICE_APPLY "'."
#define OR_ANEW     ", or make new ones with '" ADVICE_SELF_SIGNED "' and '" ADVICE_RELOAD "'."
#define ISSUED_ANEW                                                                              \
        "Ask the certificate's authority for a certificate for all hosts of the instance, then " \
        "install " PAIR "."
#define RESTART "systemctl try-restart bellhop@{name}.service"

#define ACME_AGAIN                                                                              \
        "Remove the cause, then run 'bellhopctl cert {name} --renew'. bellhop-acme also tries " \
        "again "                                                                                \
        "by itself: 'bellhopctl status {name}' shows when."

/* The advice for a file or folder if a shell could run parts of its name. */
#define BY_HAND                                                                                \
        "Change the mode of the file or folder as user {name} (runuser --pty -u {name}). Its " \
        "path has characters that can't be shown safely in a command."

#define RESTART_OR_WHY(unit) "systemctl restart " unit " || journalctl -n 20 -u " unit

#define ROW(KIND, id, severity, ...) [FINDING_##KIND] = { id, SEVERITY_##severity, __VA_ARGS__ },

const FindingInfo finding_infos[FINDING_KINDS] = {
#include "ctl/check/findings-table.h"
};

static void findings_free_one(Finding *finding)
{
        free(finding->instance);
        free(finding->file);
        free(finding->what);
        free(finding->advice);
        free(finding->any_what);
        free(finding->any_advice);
}

void findings_done(Findings *findings)
{
        for (size_t i = 0; i < findings->n; i++)
                findings_free_one(&findings->findings[i]);
        free(findings->findings);
        *findings = (Findings){ .n = 0 };
}

static bool findings_is_of_name(char c)
{
        return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Whether the text has this word at the position 'at'. The word must not be part of a longer word,
 * unless it is a placeholder, such as {name}. */
static bool findings_is_word(const char *text, const char *at, const char *word)
{
        const size_t length = strlen(word);

        if (word[0] == '{')
                return strncmp(at, word, length) == 0;
        return strncmp(at, word, length) == 0 && (at == text || !findings_is_of_name(at[-1])) &&
               !findings_is_of_name(at[length]);
}

/* Returns a copy of the text, in which the second word of each pair replaces the first. The caller
 * frees the copy. Returns NULL if memory runs out. */
static char *findings_replace(const char *text, const char *const pairs[][2], size_t n)
{
        _cleanup_free_ char *replaced = NULL;
        size_t size;
        FILE *out = open_memstream(&replaced, &size);

        for (const char *at = text; out && *at;) {
                size_t i = 0;

                while (i < n && !(pairs[i][0] && findings_is_word(text, at, pairs[i][0])))
                        i++;
                if (i == n) {
                        (void)fputc(*at++, out);
                } else {
                        (void)fputs(pairs[i][1] ? pairs[i][1] : "", out);
                        at += strlen(pairs[i][0]);
                }
        }
        return out && fclose(out) == 0 ? take_ptr(replaced) : NULL;
}

/* Whether a command for root can safely contain the name of a customer's file. */
static bool findings_is_plain(const char *path)
{
        return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                 "._-/")] == 0;
}

/* Returns a copy of the advice, with its placeholders replaced. The caller frees the copy. Returns
 * NULL if memory runs out. */
static char *findings_fill(const Findings *findings, Place place, const char *advice)
{
        _cleanup_free_ char *config = NULL;

        if (findings->config_dir)
                config = text_format(" --config=%s", findings->config_dir);
        const char *const pairs[][2] = { { "{name}", place.instance },
                                         { "{file}", place.file },
                                         { "{config}", config } };

        return findings_replace(advice, pairs, ELEMENTSOF(pairs));
}

static bool findings_is_whole(const Finding *finding, Place place, const char *advice)
{
        return finding->what && finding->any_what && !finding->advice == !advice &&
               !finding->any_advice == !advice && !finding->instance == !place.instance &&
               !finding->file == !place.file;
}

Finding *finding_add(Findings *findings, FindingKind kind, Place place, const char *advice,
                     const char *format, ...)
{
        Finding finding = {
                .kind = kind,
                .instance = place.instance ? strdup(place.instance) : NULL,
                .file = place.file ? strdup(place.file) : NULL,
                .line = place.line,
        };
        const Place any = { .instance = "NAME", .file = "FILE" };
        const char *const names[][2] = { { place.file, "FILE" }, { place.instance, "NAME" } };
        va_list args;

        assert(kind < FINDING_KINDS);
        finding.severity = finding_infos[kind].severity;
        if (!advice)
                advice = finding_infos[kind].advice;
        if (advice && place.instance && place.file && strstr(advice, "{file}") &&
            !findings_is_plain(place.file))
                advice = kind == FINDING_HOME_READ_ONLY ? ADVICE_MOVE_HOME : BY_HAND;
        if (advice) {
                finding.advice = findings_fill(findings, place, advice);
                finding.any_advice = findings_fill(findings, any, advice);
        }
        va_start(args, format);
        finding.what = text_format_args(format, args);
        va_end(args);
        if (finding.what)
                finding.any_what = findings_replace(finding.what, names, ELEMENTSOF(names));
        if (!findings_is_whole(&finding, place, advice) ||
            array_append(findings->findings, findings->n, finding) < 0) {
                findings_free_one(&finding);
                findings->n_lost++;
                return NULL;
        }
        text_make_harmless(finding.what, 0);
        text_make_harmless(finding.file, 0);
        text_make_harmless(finding.advice, 0);
        text_make_harmless(finding.any_what, 0);
        return &findings->findings[findings->n - 1];
}

void findings_finish(Findings *findings, bool strict)
{
        Finding *sorted = reallocarray(NULL, findings->n + 1, sizeof(*sorted));
        size_t n = 0;

        for (size_t i = 0; strict && i < findings->n; i++)
                if (findings->findings[i].severity == SEVERITY_WARNING)
                        findings->findings[i].severity = SEVERITY_ERROR;
        /* Without memory, the findings stay unsorted. */
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

bool findings_are_alike(const Finding *a, const Finding *b)
{
        return a->instance && b->instance && a->kind == b->kind && a->severity == b->severity &&
               strcmp(a->any_what, b->any_what) == 0 && !a->any_advice == !b->any_advice &&
               (!a->any_advice || strcmp(a->any_advice, b->any_advice) == 0);
}

void findings_keep(Findings *findings, const char *instance)
{
        size_t n = 0;

        for (size_t i = 0; i < findings->n; i++) {
                Finding *finding = &findings->findings[i];

                if (finding->instance && strcmp(finding->instance, instance) == 0)
                        findings->findings[n++] = *finding;
                else
                        findings_free_one(finding);
        }
        findings->n = n;
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
