/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl metrics: prints the metrics of the router unchanged, and adds metrics of certificates.
 * These come from the state files of bellhop-acme, which the router does not read.
 */
#include <inttypes.h>

#include "acme/state.h"
#include "config/config.h"
#include "ctl/ask/metrics-client.h"
#include "ctl/show/output.h"
#include "util/cleanup.h"

static int metrics_print_json(const Output *output, char *text)
{
        static const Column columns[] = {
                { "NAME", "name", 0, SCOLS_JSON_STRING },
                { "LABELS", "labels", 0, SCOLS_JSON_STRING },
                { "VALUE", "value", 0, SCOLS_JSON_NUMBER },
        };
        Samples samples = { .n = 0 };
        const int r = samples_parse_consume(text, &samples);
        Table table;

        if (r < 0)
                return r;
        table = table_new(output, "metrics", columns, ELEMENTSOF(columns));
        for (size_t i = 0; i < samples.n; i++) {
                table_add(&table);
                table_set(&table, 0, samples.samples[i].name);
                table_set(&table, 1, samples.samples[i].labels);
                table_setf(&table, 2, "%.17g", samples.samples[i].value);
        }
        samples_done(&samples);
        return table_print(&table);
}

enum { NOT_AFTER, NEXT_TRY, TRIED, FAILURES, LEFT_OUT, CERTIFICATE_METRICS };

static const struct {
        const char *name, *help;
} metrics_of_certificates[CERTIFICATE_METRICS] = {
        [NOT_AFTER] = { "bellhop_certificate_not_after_seconds",
                        "When the certificate from bellhop-acme expires, in seconds since 1970." },
        [NEXT_TRY] = { "bellhop_certificate_next_try_seconds",
                       "When bellhop-acme next tries to get a certificate, in seconds since "
                       "1970." },
        [TRIED] = { "bellhop_certificate_tried_seconds",
                    "When the last try of bellhop-acme ended, in seconds since 1970." },
        [FAILURES] = { "bellhop_certificate_failures", "Failed tries since the last certificate." },
        [LEFT_OUT] = { "bellhop_certificate_hosts_left_out",
                       "Hosts of the instance that the certificate lacks." },
};

static uint64_t metrics_value(const AcmeState *state, size_t metric)
{
        const uint64_t times[] = {
                [NOT_AFTER] = state->not_after, [NEXT_TRY] = state->next, [TRIED] = state->tried
        };

        if (metric < ELEMENTSOF(times))
                return times[metric] > 0 ? times[metric] : UNKNOWN;
        return metric == FAILURES ? state->n_failures : state->n_failures_of_hosts;
}

static void metrics_print_certificates(FILE *out, const Config *config, const AcmeState states[],
                                       const bool known[])
{
        for (size_t i = 0; i < CERTIFICATE_METRICS; i++) {
                const char *name = metrics_of_certificates[i].name;

                fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name,
                        metrics_of_certificates[i].help, name);
                for (size_t j = 0; j < config->n_instances; j++) {
                        const uint64_t value = known[j] ? metrics_value(&states[j], i) : UNKNOWN;

                        if (value != UNKNOWN)
                                fprintf(out, "%s{instance=\"%s\"} %" PRIu64 "\n", name,
                                        config->instances[j].name, value);
                }
        }
}

/* Appends the metrics of certificates to *text. Returns 0 or a negative errno. */
static int metrics_add_certificates(const Ctl *ctl, char **text)
{
        _cleanup_free_ AcmeState *states = NULL;
        _cleanup_free_ bool *known = NULL;
        char *longer = NULL;
        Config *config = NULL;
        size_t size, n = 0;
        FILE *out = NULL;
        int r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &config);

        if (r < 0)
                return r;
        states = calloc(config->n_instances + 1, sizeof(*states));
        known = calloc(config->n_instances + 1, sizeof(*known));
        if (states && known)
                out = open_memstream(&longer, &size);
        for (; out && n < config->n_instances; n++)
                known[n] =
                        config->instances[n].tls == TLS_ACME &&
                        acme_state_read(ctl->acme_dir, config->instances[n].name, &states[n]) == 0;
        if (out) {
                fputs(*text, out);
                metrics_print_certificates(out, config, states, known);
        }
        r = out && fclose(out) == 0 ? 0 : -ENOMEM;
        while (n > 0)
                acme_state_done(&states[--n]);
        config_free(config);
        if (r == 0) {
                free(*text);
                *text = longer;
        }
        return r;
}

CtlStatus verb_metrics(const Ctl *ctl, char *arguments[])
{
        _cleanup_free_ char *text = NULL;
        CtlStatus status = CTL_FINE;
        Output output;
        int r = control_fetch(ctl->runtime_dir, "/metrics", &text);

        output_start(ctl, &output);
        if (r == 0) {
                r = metrics_add_certificates(ctl, &text);
                if (r < 0)
                        return output_done(&output, output_bad_configuration(ctl, r));
        }
        if (r == 0 && ctl->json)
                r = metrics_print_json(&output, take_ptr(text));
        else if (r == 0)
                output_print("%s", text);
        if (r < 0) {
                output_error("No metrics: %s.", metrics_fetch_explain(r));
                status = CTL_FAILED;
        }
        return output_done(&output, status);
}
