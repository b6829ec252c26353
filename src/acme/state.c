/* SPDX-License-Identifier: MIT */
/* The state file has the form of a configuration file, so that settings_parse() can read it. */
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "acme/state.h"
#include "config/settings.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/file.h"
#include "util/text.h"

#define FILE_BYTES_MAX (1024 * 1024)
#define WEEK_SEC       (7 * 24 * 3600)
#define AHEAD_SEC_MAX  60

static int state_parse_digest(SettingsFile *file, Span value, void *target)
{
        if (value.size > ACME_DIGEST_MAX)
                return problem_value(file, value, NULL, "is too long");
        memcpy(target, value.data, value.size);
        ((char *)target)[value.size] = 0;
        return 0;
}

static int state_parse_authority(SettingsFile *file, Span value, void *target)
{
        if (value.size > ACME_URL_MAX)
                return problem_value(file, value, NULL, "is too long");
        memcpy(target, value.data, value.size);
        ((char *)target)[value.size] = 0;
        return 0;
}

static int state_parse_order(SettingsFile *file, Span word, void *target)
{
        AcmeState *state = target;
        uint64_t when;

        if (!text_number(word, UINT64_MAX, &when))
                return problem_value(file, word, NULL, "is not a number");
        acme_state_add_order(state, when);
        return 0;
}

static int state_parse_error(SettingsFile *file, Span value, void *target)
{
        _cleanup_free_ char *text = strndup((const char *)value.data, value.size);

        if (!text)
                return -ENOMEM;
        acme_state_set_error(target, text);
        return 0;
}

/* Parses a value "HOST REASON". */
static int state_parse_host(SettingsFile *file, Span value, AcmeState *state, bool is_refused)
{
        _cleanup_free_ char *reason = NULL, *host_text = NULL;
        Span host;

        if (!span_take_until(&value, ' ', &host))
                return problem_value(file, value, NULL, "has no reason");
        host_text = strndup((const char *)host.data, host.size);
        reason = strndup((const char *)value.data, value.size);
        return host_text && reason ? acme_state_add_failure(state, host_text, reason, is_refused)
                                   : -ENOMEM;
}

static int state_parse_failure(SettingsFile *file, Span value, void *target)
{
        return state_parse_host(file, value, target, false);
}

static int state_parse_refusal(SettingsFile *file, Span value, void *target)
{
        return state_parse_host(file, value, target, true);
}

#define NUMBER(name, field) \
        .key = name, .parse = setting_parse_count, .offset = offsetof(AcmeState, field)

static const Setting state_settings[] = {
        { NUMBER("NotBefore", not_before) },
        { NUMBER("NotAfter", not_after) },
        { NUMBER("Next", next) },
        { NUMBER("Tried", tried) },
        { NUMBER("Failures", n_failures) },
        { .key = "Order", .parse = state_parse_order, .is_list = true },
        { .key = "Certificate",
          .parse = state_parse_digest,
          .offset = offsetof(AcmeState, certificate) },
        { .key = "Recalled", .parse = state_parse_digest, .offset = offsetof(AcmeState, recalled) },
        { .key = "Authority",
          .parse = state_parse_authority,
          .offset = offsetof(AcmeState, authority) },
        { .key = "Wanted", .parse = state_parse_digest, .offset = offsetof(AcmeState, wanted) },
        { .key = "Error", .parse = state_parse_error },
        { .key = "Failed", .parse = state_parse_failure },
        { .key = "Refused", .parse = state_parse_refusal },
};

static const SettingsTable state_table = { "Certificate", state_settings,
                                           ELEMENTSOF(state_settings) };

int acme_state_read(const char *dir, const char *name, AcmeState *ret)
{
        _cleanup_free_ char *path = text_format("%s/instances/%s", dir, name), *text = NULL;
        Config config = { .n_problems = 0 };
        SettingsFile file = { .path = path, .config = &config };
        size_t size;
        int r;

        *ret = (AcmeState){ .n_orders = 0 };
        r = path ? file_read(path, O_NOFOLLOW, FILE_BYTES_MAX, &text, &size) : -ENOMEM;
        if (r == 0)
                r = settings_parse(&file, (Span){ (const uint8_t *)text, size }, &state_table, ret);
        problems_done(&config);
        if (r == 0 && file.n_problems > 0)
                r = -EINVAL;
        if (r < 0)
                acme_state_done(ret);
        return r;
}

static void state_print(FILE *out, const AcmeState *state)
{
        fprintf(out,
                "# Written by bellhop-acme.\n[Certificate]\nNotBefore=%" PRIu64
                "\nNotAfter=%" PRIu64 "\nNext=%" PRIu64 "\nTried=%" PRIu64 "\nFailures=%" PRIu64
                "\nCertificate=%s\nRecalled=%s\nAuthority=%s\nWanted=%s\n",
                state->not_before, state->not_after, state->next, state->tried, state->n_failures,
                state->certificate, state->recalled, state->authority, state->wanted);
        for (size_t i = 0; i < state->n_orders; i++)
                fprintf(out, "Order=%" PRIu64 "\n", state->orders[i]);
        if (state->error)
                fprintf(out, "Error=%s\n", state->error);
        for (size_t i = 0; i < state->n_failures_of_hosts; i++)
                fprintf(out, "%s=%s %s\n", state->failures[i].is_refused ? "Refused" : "Failed",
                        state->failures[i].host, state->failures[i].reason);
}

int acme_state_write(const char *dir, const char *name, const AcmeState *state)
{
        _cleanup_free_ char *path = text_format("%s/instances/%s", dir, name);
        _cleanup_free_ char *unfinished = text_format("%s/instances/.%s.new", dir, name);
        _cleanup_fclose_ FILE *out = unfinished ? fopen(unfinished, "we") : NULL;

        if (!path || !unfinished)
                return -ENOMEM;
        if (!out)
                return -errno;
        state_print(out, state);
        if (fflush(out) != 0 || ferror(out) || fchmod(fileno(out), 0644) < 0 ||
            fsync(fileno(out)) < 0 || rename(unfinished, path) < 0)
                return -errno;
        return 0;
}

void acme_state_done(AcmeState *state)
{
        while (state->n_failures_of_hosts > 0)
                acme_state_forget_failure(state, state->failures[0].host);
        free(state->failures);
        free(state->error);
        *state = (AcmeState){ .n_orders = 0 };
}

void acme_state_set_error(AcmeState *state, const char *text)
{
        char *copy = text ? strdup(text) : NULL;

        text_make_harmless(copy, 0);
        free(state->error);
        state->error = copy;
}

const AcmeFailure *acme_state_failure_of(const AcmeState *state, const char *host)
{
        for (size_t i = 0; i < state->n_failures_of_hosts; i++)
                if (strcmp(state->failures[i].host, host) == 0)
                        return &state->failures[i];
        return NULL;
}

int acme_state_add_failure(AcmeState *state, const char *host, const char *reason, bool is_refused)
{
        _cleanup_free_ char *host_copy = strdup(host), *reason_copy = strdup(reason);
        int r = host_copy && reason_copy ? 0 : -ENOMEM;

        text_make_harmless(host_copy, 0);
        text_make_harmless(reason_copy, 0);
        if (r == 0) {
                acme_state_forget_failure(state, host_copy);
                r = array_append(state->failures, state->n_failures_of_hosts,
                                 (AcmeFailure){ host_copy, reason_copy, is_refused });
        }
        if (r == 0)
                host_copy = reason_copy = NULL;
        return r;
}

void acme_state_forget_failure(AcmeState *state, const char *host)
{
        const AcmeFailure *found = acme_state_failure_of(state, host);
        const size_t i = found ? (size_t)(found - state->failures) : 0;

        if (!found)
                return;
        free(found->host);
        free(found->reason);
        state->n_failures_of_hosts--;
        memmove(state->failures + i, state->failures + i + 1,
                (state->n_failures_of_hosts - i) * sizeof(*state->failures));
}

size_t acme_state_count_orders(AcmeState *state, uint64_t now)
{
        size_t n = 0;

        for (size_t i = 0; i < state->n_orders; i++)
                if (state->orders[i] + WEEK_SEC > now && state->orders[i] <= now + AHEAD_SEC_MAX)
                        state->orders[n++] = state->orders[i];
        state->n_orders = n;
        return n;
}

void acme_state_add_order(AcmeState *state, uint64_t now)
{
        if (state->n_orders == ACME_ORDERS_MAX)
                memmove(state->orders, state->orders + 1,
                        --state->n_orders * sizeof(*state->orders));
        state->orders[state->n_orders++] = now;
}
