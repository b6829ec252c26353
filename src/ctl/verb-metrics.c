/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl metrics: what the router says, as it says it.
 */
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

CtlStatus verb_metrics(const Ctl *ctl, char *arguments[])
{
        _cleanup_free_ char *text = NULL;
        CtlStatus status = CTL_FINE;
        Output output;
        int r = control_fetch(ctl->runtime_dir, "/metrics", &text);

        output_start(ctl, &output);
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
