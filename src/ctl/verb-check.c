/* SPDX-License-Identifier: MIT */
/*
 * bellhopctl check: asks every part what is wrong, and shows it.
 */
#include "ctl/ask/metrics-client.h"
#include "ctl/check/advice.h"
#include "ctl/check/check.h"
#include "ctl/show/output.h"
#include "ctl/show/text.h"
#include "metrics/metrics.h"
#include "util/cleanup.h"

static void check_done(Check *check)
{
        findings_done(&check->findings);
        units_done(&check->units);
        X509_STORE_free(check->store);
        check->bus = sd_bus_flush_close_unref(check->bus);
        check->hosts = check->config ? hosts_free(check->hosts, check->config->n_instances) : NULL;
        check->config = config_free(check->config);
}

static void ask_systemd(Check *check)
{
        int r = sd_bus_open_system(&check->bus);

        if (r == 0) {
                r = bus_list_units(check->bus, "bellhop*", &check->units);
                if (r < 0)
                        check->bus = sd_bus_flush_close_unref(check->bus);
        }
        if (r < 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, (Place){ .line = 0 }, NULL,
                            "the units: systemd can't be asked (%s)", strerror(-r));
}

static void ask_router(Check *check)
{
        Samples samples;
        double loaded;

        if (samples_fetch(check->ctl->runtime_dir, &samples) < 0)
                return;
        if (samples_find(&samples, METRIC_CONFIG_LOADED, NULL, NULL, &loaded))
                check->loaded = (uint64_t)(loaded * 1e9);
        samples_done(&samples);
}

static int check_init(const Ctl *ctl, Check *ret)
{
        int r;

        *ret = (Check){ .ctl = ctl, .now = time(NULL) };
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &ret->config);
        if (r < 0)
                return r;
        ret->hosts = hosts_new(ret->config->map, ret->config->n_instances);
        ret->store = X509_STORE_new();
        if (!ret->hosts || !ret->store)
                return -ENOMEM;
        /* Without any, none is trusted. */
        (void)X509_STORE_set_default_paths(ret->store);
        ask_systemd(ret);
        ask_router(ret);
        return 0;
}

static void check_instance(Check *check, size_t number, Site *site)
{
        const Instance *instance = &check->config->instances[number];
        const char *dir = check->ctl->config_dir;
        struct stat st;

        *site = (Site){ .instance = instance, .hosts = &check->hosts[number] };
        if (!identity_of(instance->name, &site->user) ||
            snprintf(site->tls, PATH_MAX, "%s/tls/%s", dir, instance->name) >= PATH_MAX ||
            snprintf(site->snippets, PATH_MAX, "%s/sites/%s", dir, instance->name) >= PATH_MAX)
                return;
        if (stat(instance->file, &st) == 0)
                site_note_file(site, instance->file, &st);
        look_at_snippets(check, site);
        check_tls(check, site);
        check_document_root(check, site);
        check_snippets(check, site);
        check_site_units(check, site);
}

typedef struct Owner {
        uid_t uid;
        size_t number;
} Owner;

static int compare_owners(const void *a, const void *b)
{
        const Owner *x = a, *y = b;

        return x->uid != y->uid ? (x->uid > y->uid) - (x->uid < y->uid)
                                : (x->number > y->number) - (x->number < y->number);
}

static char *put_aside(const Check *check, const char *file)
{
        _cleanup_free_ char *mend = cure_file(file);

        return cure_and_apply(check, mend);
}

static void check_shared_uids(Check *check, Owner *owners)
{
        const Instance *instances = check->config->instances;

        qsort(owners, check->config->n_instances, sizeof(*owners), compare_owners);
        for (size_t i = 1; i < check->config->n_instances; i++)
                if (owners[i].uid == owners[i - 1].uid)
                        finding_add(&check->findings, FINDING_SHARED_UID,
                                    (Place){ instances[owners[i].number].name,
                                             instances[owners[i].number].file, 0 },
                                    put_aside(check, instances[owners[i].number].file),
                                    "user %s has the uid of user %s (%u)",
                                    instances[owners[i].number].name,
                                    instances[owners[i - 1].number].name, (unsigned)owners[i].uid);
}

static int check_instances(Check *check)
{
        const size_t n = check->config->n_instances;
        Owner *owners = calloc(n + 1, sizeof(*owners));
        Site *site = malloc(sizeof(*site));

        for (size_t i = 0; owners && site && i < n; i++) {
                output_progress("Checking", i, n);
                check_instance(check, i, site);
                owners[i] = (Owner){ site->user.uid, i };
        }
        output_progress(NULL, n, n);
        if (owners && site)
                check_shared_uids(check, owners);
        if (check->n_needs_root > 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, (Place){ .line = 0 }, NULL,
                            "certificates, keys, snippets and document roots: only root can see "
                            "them as their users do; use sudo");
        free(site);
        free(owners);
        return owners && site ? 0 : -ENOMEM;
}

static int print_json(const Output *output, const Findings *findings)
{
        static const Column columns[] = {
                { "", "severity", 0, SCOLS_JSON_STRING }, { "", "kind", 0, SCOLS_JSON_STRING },
                { "", "instance", 0, SCOLS_JSON_STRING }, { "", "file", 0, SCOLS_JSON_STRING },
                { "", "line", 0, SCOLS_JSON_NUMBER },     { "", "what", 0, SCOLS_JSON_STRING },
                { "", "why", 0, SCOLS_JSON_STRING },      { "", "cure", 0, SCOLS_JSON_STRING },
        };
        Table table = table_new(output, "findings", columns, ELEMENTSOF(columns));

        for (size_t i = 0; i < findings->n; i++) {
                const Finding *finding = &findings->findings[i];
                const char *const cells[] = {
                        severity_names[finding->severity],
                        finding_infos[finding->kind].name,
                        finding->instance,
                        finding->file,
                        NULL,
                        finding->what,
                        finding_infos[finding->kind].why,
                        finding->cure,
                };

                table_add(&table);
                for (size_t j = 0; j < ELEMENTSOF(cells); j++)
                        table_set(&table, j, cells[j]);
                if (finding->line > 0)
                        table_setf(&table, 4, "%u", finding->line);
        }
        return table_print(&table);
}

static void print_finding(const Output *output, const Finding *finding)
{
        static const OutputColor colors[SEVERITIES] = {
                [SEVERITY_NOTE] = COLOR_STRONG,
                [SEVERITY_WARNING] = COLOR_WARNING,
                [SEVERITY_ERROR] = COLOR_ERROR,
        };

        printf("%s%s%s", output_color(output, colors[finding->severity]),
               severity_names[finding->severity], output_color_end(output));
        if (finding->instance)
                printf(" %s", finding->instance);
        printf(": ");
        if (finding->file && finding->line > 0)
                printf("%s:%u: ", finding->file, finding->line);
        else if (finding->file)
                printf("%s: ", finding->file);
        printf("%s\n", finding->what);
        printf("  why:  %s\n", finding_infos[finding->kind].why);
        if (finding->cure)
                printf("  cure: %s%s%s\n", output_color(output, COLOR_STRONG), finding->cure,
                       output_color_end(output));
}

static void print_summary(const Check *check)
{
        const Findings *findings = &check->findings;
        const size_t errors = findings_count(findings, SEVERITY_ERROR);
        const size_t warnings = findings_count(findings, SEVERITY_WARNING);
        const size_t instances = check->config->n_instances;

        printf("%s%zu instance%s checked: %zu error%s, %zu warning%s.\n",
               findings->n > 0 ? "\n" : "", instances, instances == 1 ? "" : "s", errors,
               errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static CtlStatus show(const Check *check)
{
        const Findings *findings = &check->findings;
        const bool bad = findings_count(findings, SEVERITY_ERROR) > 0 || findings->n_lost > 0;
        Output output;
        int r = 0;

        output_start(check->ctl, &output);
        if (check->ctl->json)
                r = print_json(&output, findings);
        for (size_t i = 0; !check->ctl->json && i < findings->n; i++)
                print_finding(&output, &findings->findings[i]);
        if (!check->ctl->json && output.legend)
                print_summary(check);
        if (r < 0 || findings->n_lost > 0)
                return output_done(&output, output_no_memory());
        return output_done(&output, bad ? CTL_FAILED : CTL_FINE);
}

CtlStatus verb_check(const Ctl *ctl, char *arguments[])
{
        Check check;
        CtlStatus status;
        int r = check_init(ctl, &check);

        if (r == 0) {
                check_config(&check);
                check_router_units(&check);
                check_ports(&check);
                r = check_instances(&check);
        }
        if (r < 0) {
                output_error("The configuration in %s can't be read: %s.", ctl->config_dir,
                             strerror(-r));
                check_done(&check);
                return CTL_FAILED;
        }
        if (ctl->strict)
                findings_be_strict(&check.findings);
        findings_sort(&check.findings);
        status = show(&check);
        check_done(&check);
        return status;
}
