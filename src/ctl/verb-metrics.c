/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl metrics: what the router says, as it says it.
 */
#include <inttypes.h>

#include "ctl/ask/metrics-client.h"
#include "ctl/show/output.h"
#include "util/cleanup.h"

static int print_json(const Output *output, char *text)
{
        static const Column columns[] = {
                { "NAME", "name", 0, SCOLS_JSON_STRING },
                { "LABELS", "labels", 0, SCOLS_JSON_STRING },
                { "VALUE", "value", 0, SCOLS_JSON_NUMBER },
        };
        Table *table = table_new(output, "metrics", columns, ELEMENTSOF(columns));
        Samples samples = { .n = 0 };
        int r = table ? samples_parse_consume(text, &samples) : -ENOMEM;

        if (!table)
                free(text);
        for (size_t i = 0; r == 0 && i < samples.n; i++) {
                TableLine *line = table_add(table, NULL);

                r = !line ? -ENOMEM : table_set(line, 0, samples.samples[i].name);
                if (r == 0)
                        r = table_set(line, 1, samples.samples[i].labels);
                if (r == 0)
                        r = table_setf(line, 2, "%.17g", samples.samples[i].value);
        }
        if (r == 0)
                r = table_print(table);
        samples_done(&samples);
        table_free(table);
        return r;
}

CtlStatus verb_metrics(const Ctl *ctl, char *arguments[])
{
        _cleanup_free_ char *text = NULL;
        Output output;
        int r = metrics_fetch(ctl->runtime_dir, &text);

        if (r < 0) {
                output_error("No metrics: %s.", metrics_fetch_explain(r));
                return CTL_FAILED;
        }
        output_start(ctl, &output);
        if (ctl->json)
                r = print_json(&output, take_ptr(text));
        else
                (void)fputs(text, stdout);
        if (r < 0) {
                output_error("No metrics: %s.", metrics_fetch_explain(r));
                return output_done(&output, CTL_FAILED);
        }
        return output_done(&output, CTL_FINE);
}
