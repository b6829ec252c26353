/* SPDX-License-Identifier: MIT */
/* bellhopctl check: runs all checks and prints the findings. */
#include <ctype.h>
#include <search.h>

#include "ctl/ask/pages.h"
#include "ctl/check/check.h"
#include "ctl/show/output.h"
#include "util/cleanup.h"
#include "util/text.h"

static void check_done(Check *check)
{
        findings_done(&check->findings);
        units_done(&check->units);
        oom_done(&check->oom);
        X509_STORE_free(check->store);
        check->bus = sd_bus_flush_close_unref(check->bus);
        check->hosts = check->config ? hosts_free(check->hosts, check->config->n_instances) : NULL;
        check->config = config_free(check->config);
}

static int check_init(const Ctl *ctl, Check *ret)
{
        int r;

        *ret = (Check){ .ctl = ctl, .now = time(NULL) };
        if (strcmp(ctl->config_dir, BELLHOP_CONFIG_DIR) != 0)
                ret->findings.config_dir = ctl->config_dir;
        r = config_load(ctl->config_dir, CONFIG_USERS_CHECK, NULL, &ret->config);
        if (r < 0)
                return r;
        config_digest_others(ret->config, ROUTE_NONE);
        ret->hosts = hosts_new(ret->config->map, ret->config->n_instances);
        ret->store = X509_STORE_new();
        if (!ret->hosts || !ret->store)
                return -ENOMEM;
        /* If this call fails, for example because the machine has no list of authorities, no
         * authority is trusted. */
        (void)X509_STORE_set_default_paths(ret->store);
        units_ask(ret);
        return 0;
}

/* Returns false if the instance can't be checked, because its user was just removed or a path is
 * too long. */
static bool check_instance_init(Check *check, size_t number, InstanceCheck *ret)
{
        static const char *const kinds[] = { "tls", "sites" };
        const Instance *instance = &check->config->instances[number];
        const char *dir = check->ctl->config_dir, *name = instance->name;
        struct stat st;

        *ret = (InstanceCheck){ .check = check,
                                .instance = instance,
                                .name = name,
                                .hosts = &check->hosts[number],
                                .replaced = { "/home", "/srv/www", ret->own_folders[0],
                                              ret->own_folders[1], ret->snippets } };
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                (void)snprintf(ret->own_folders[i], PATH_MAX, "%s/%s", dir, kinds[i]);
        if (!identity_of(name, &ret->user) || !name_path_fill(NAME_TLS_DIR, dir, name, ret->tls) ||
            !name_path_fill(NAME_SNIPPET_DIR, dir, name, ret->snippets))
                return false;
        if (stat(instance->file, &st) == 0)
                newest_note(&ret->newest, instance->file, changed_inode(&st));
        return true;
}

typedef struct Owner {
        uid_t uid;
        const char *name;
} Owner;

static int check_compare_owners(const void *a, const void *b)
{
        const Owner *x = a, *y = b;

        return (x->uid > y->uid) - (x->uid < y->uid);
}

/* For tdestroy(): frees nothing, because the elements belong to an array. */
static void check_keep_owner(void *owner)
{
}

static void check_instance(InstanceCheck *inst)
{
        snippets_look(inst);
        acme_look(inst);
        check_tls(inst);
        if (inst->instance->is_suspended) {
                instance_finding(
                        inst, FINDING_SUSPENDED, inst->instance->file, NULL,
                        "the instance is suspended; its pages and snippets are not checked");
        } else {
                check_acme(inst);
                check_document_root(inst);
                check_pages(inst);
                check_server(inst);
        }
        check_instance_units(inst);
        texts_free(inst->roots, inst->n_roots);
        free(inst->htaccess);
        acme_state_done(&inst->acme);
}

static int check_instances(Check *check)
{
        const size_t n = check->config->n_instances;
        _cleanup_free_ Owner *owners = calloc(n + 1, sizeof(*owners));
        _cleanup_free_ InstanceCheck *inst = malloc(sizeof(*inst));
        void *by_uid = NULL;

        for (size_t i = 0; owners && inst && i < n; i++) {
                Owner **first;

                output_progress("Checking", i, n);
                if (!check_instance_init(check, i, inst))
                        continue;
                if (!check->ctl->instance || strcmp(inst->name, check->ctl->instance) == 0)
                        check_instance(inst);
                owners[i] = (Owner){ inst->user.uid, inst->name };
                first = tsearch(&owners[i], &by_uid, check_compare_owners);
                if (first && *first != &owners[i])
                        instance_finding(inst, FINDING_SHARED_UID, inst->instance->file, NULL,
                                         "user %s has the uid of user %s (%u)", inst->name,
                                         (*first)->name, (unsigned)inst->user.uid);
        }
        tdestroy(by_uid, check_keep_owner);
        output_progress(NULL, n, n);
        if (check->n_needs_root > 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "certificates, keys, snippets and document roots were not checked: "
                            "only root can read them as their users; use sudo");
        else if (check->n_silent > 0)
                finding_add(&check->findings, FINDING_NOT_CHECKED, NOWHERE, NULL,
                            "it is not known whether %zu instances have read their present files: "
                            "these instances do not answer",
                            check->n_silent);
        return owners && inst ? 0 : -ENOMEM;
}

static int check_print_json(const Output *output, const Findings *findings)
{
        static const Column columns[] = {
                { "", "severity", 0, SCOLS_JSON_STRING }, { "", "kind", 0, SCOLS_JSON_STRING },
                { "", "instance", 0, SCOLS_JSON_STRING }, { "", "file", 0, SCOLS_JSON_STRING },
                { "", "line", 0, SCOLS_JSON_NUMBER },     { "", "what", 0, SCOLS_JSON_STRING },
                { "", "why", 0, SCOLS_JSON_STRING },      { "", "advice", 0, SCOLS_JSON_STRING },
        };
        Table table = table_new(output, "findings", columns, ELEMENTSOF(columns));

        for (size_t i = 0; i < findings->n; i++) {
                const Finding *finding = &findings->findings[i];
                const FindingInfo *info = &finding_infos[finding->kind];
                const char *const cells[] = { severity_names[finding->severity],
                                              info->name,
                                              finding->instance,
                                              finding->file,
                                              NULL,
                                              finding->what,
                                              info->why,
                                              finding->advice };

                table_add(&table);
                for (size_t j = 0; j < ELEMENTSOF(cells); j++)
                        table_set(&table, j, cells[j]);
                if (finding->line > 0)
                        table_setf(&table, 4, "%u", finding->line);
        }
        return table_print(&table);
}

/* Findings that are alike are printed as one finding if at least this many instances have them. */
#define GROUP_LEAST 4
/* Such a finding shows the names of this many instances. */
#define GROUP_NAMED 3

/* Findings that are alike form a group. Counts the instances in a group. first: the number of the
 * first finding of the group. In a group, the findings of the same instance are next to each other,
 * so this function only compares each name with the previous one. names: receives the names of the
 * first instances; NULL: counting stops at GROUP_LEAST. */
static size_t check_count_group(const Findings *findings, size_t first, FILE *names)
{
        const char *last = NULL;
        size_t n = 0;

        for (size_t i = first; i < findings->n && (names || n < GROUP_LEAST); i++) {
                const Finding *finding = &findings->findings[i];

                if (!findings_are_alike(&findings->findings[first], finding) ||
                    (last && strcmp(last, finding->instance) == 0))
                        continue;
                last = finding->instance;
                if (n++ < GROUP_NAMED && names)
                        fprintf(names, "%s%s", n > 1 ? ", " : "", last);
        }
        return n;
}

/* Returns the names of the first instances in the finding's group, as one text. The caller frees
 * the text. Returns NULL if the group is too small to be printed as one finding, or if memory runs
 * out. *ret_n: the number of all instances in the group. */
static char *check_group_names(const Findings *findings, size_t first, size_t *ret_n)
{
        _cleanup_free_ char *names = NULL;
        size_t size;
        FILE *out = open_memstream(&names, &size);

        *ret_n = out ? check_count_group(findings, first, out) : 0;
        return out && fclose(out) == 0 && *ret_n >= GROUP_LEAST ? take_ptr(names) : NULL;
}

/* Whether the finding must be printed: it is the first of its group, or the group is too small to
 * be printed as one finding. */
static bool check_is_first(const Findings *findings, size_t number)
{
        size_t first = 0;

        while (first < number &&
               !findings_are_alike(&findings->findings[first], &findings->findings[number]))
                first++;
        return first == number || check_count_group(findings, first, NULL) < GROUP_LEAST;
}

static void check_print_finding(const Output *output, const Findings *findings, size_t number)
{
        static const OutputColor colors[SEVERITIES] = {
                [SEVERITY_NOTE] = COLOR_STRONG,
                [SEVERITY_WARNING] = COLOR_WARNING,
                [SEVERITY_ERROR] = COLOR_ERROR,
        };
        const Finding *finding = &findings->findings[number];
        _cleanup_free_ char *names = NULL, *place = NULL, *text = NULL;
        const char *advice = finding->advice, *what = finding->what;
        size_t n;

        if (!check_is_first(findings, number))
                return;
        names = check_group_names(findings, number, &n);
        if (names) {
                advice = finding->any_advice;
                what = finding->any_what;
                place = text_format(" %zu instances (%s and %zu more)", n, names, n - GROUP_NAMED);
        } else {
                place = text_format("%s%s%s%s", finding->instance ? " " : "",
                                    finding->instance ? finding->instance : "",
                                    finding->file ? ": " : "", finding->file ? finding->file : "");
        }
        text = finding->line > 0 && !names
                       ? text_format("%s:%u: %s", place ? place : "", finding->line, what)
                       : text_format("%s: %s", place ? place : "", what);
        output_paragraph(output, colors[finding->severity], severity_names[finding->severity],
                         text ? text : what, false);
        output_paragraph(output, COLOR_NONE, "  why:    ", finding_infos[finding->kind].why, false);
        if (advice)
                output_paragraph(output, COLOR_NONE, "  advice: ", advice,
                                 islower((unsigned char)advice[0]));
}

static void check_print_summary(const Check *check)
{
        const size_t errors = findings_count(&check->findings, SEVERITY_ERROR);
        const size_t warnings = findings_count(&check->findings, SEVERITY_WARNING);
        const size_t instances = check->ctl->instance ? 1 : check->config->n_instances;

        output_print("%s%zu instance%s checked: %zu error%s, %zu warning%s.\n",
                     check->findings.n > 0 ? "\n" : "", instances, instances == 1 ? "" : "s",
                     errors, errors == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
}

static CtlStatus check_print(const Check *check)
{
        const Findings *findings = &check->findings;
        const bool bad = findings_count(findings, SEVERITY_ERROR) > 0;
        Output output;
        int r = 0;

        output_start(check->ctl, &output);
        if (check->ctl->json)
                r = check_print_json(&output, findings);
        for (size_t i = 0; !check->ctl->json && i < findings->n; i++)
                check_print_finding(&output, findings, i);
        if (!check->ctl->json && output.legend)
                check_print_summary(check);
        if (r < 0 || findings->n_lost > 0)
                return output_done(&output, output_no_memory());
        return output_done(&output, bad ? CTL_FAILED : CTL_FINE);
}

CtlStatus verb_check(const Ctl *ctl, char *arguments[])
{
        uint64_t files_max = PAGES_DEFAULT;
        Check check;
        CtlStatus status;
        int r;

        if (ctl->files && !text_number(span_from_string(ctl->files), SIZE_MAX, &files_max)) {
                output_error("--files=%s is not a number.", ctl->files);
                return CTL_USAGE;
        }
        r = check_init(ctl, &check);
        check.files_max = files_max;
        if (r == 0) {
                check_config(&check);
                check_dropins(&check);
                if (!ctl->instance) {
                        check_disk(&check);
                        check_router_units(&check);
                        check_acme_service(&check);
                        check_ports(&check);
                }
                r = check_instances(&check);
        }
        if (r == 0 && ctl->instance)
                findings_keep(&check.findings, ctl->instance);
        if (r < 0) {
                status = output_bad_configuration(ctl, r);
        } else if (ctl->instance && check.findings.n == 0 &&
                   config_find_instance(check.config, ctl->instance) == ROUTE_NONE) {
                output_error("There is no instance '%s'. 'bellhopctl list' shows all instances.",
                             ctl->instance);
                status = CTL_FAILED;
        } else {
                findings_finish(&check.findings, ctl->strict);
                status = check_print(&check);
        }
        check_done(&check);
        return status;
}
